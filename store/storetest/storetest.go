// Package storetest is the suite that every engine of the store must pass.
package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// Run tests the stores that open returns. Each must be empty; open sees to it
// that it is closed when its test ends.
func Run(t *testing.T, open func(t *testing.T) slipway.Store) {
	tests := map[string]func(*testing.T, *world){
		"Update":             testUpdate,
		"UpdateTogether":     testUpdateTogether,
		"UpdatePanic":        testUpdatePanic,
		"UpdateAfterFailure": testUpdateAfterFailure,
		"UpdateContext":      testUpdateContext,
		"View":               testView,
		"Workspaces":         testWorkspaces,
		"Keys":               testKeys,
		"KeyLists":           testKeyLists,
		"AdminKeys":          testAdminKeys,
		"WorkspaceDelete":    testWorkspaceDelete,
		"Audit":              testAudit,
		"DeploymentRow":      testDeploymentRow,
		"DeploymentVersion":  testDeploymentVersion,
		"DeploymentNames":    testDeploymentNames,
		"DeploymentLists":    testDeploymentLists,
		"DeploymentPages":    testDeploymentPages,
		"DeploymentPaging":   testDeploymentPaging,
		"DeploymentView":     testDeploymentView,
		"DeploymentDelete":   testDeploymentDelete,
		"Deletions":          testDeletions,
		"DeletionReceipts":   testDeletionReceipts,
		"NamedReceipts":      testNamedReceipts,
		"RowsOf":             testRowsOf,
		"DropLogs":           testDropLogs,
		"RevisionRow":        testRevisionRow,
		"RevisionHistory":    testRevisionHistory,
		"RevisionLists":      testRevisionLists,
		"RevisionPaging":     testRevisionPaging,
		"RevisionDeadlines":  testRevisionDeadlines,
		"Instances":          testInstances,
		"Ports":              testPorts,
		"Inventory":          testInventory,
		"Uploads":            testUploads,
		"Projects":           testProjects,
		"ProjectLists":       testProjectLists,
		"Secrets":            testSecrets,
		"Logins":             testLogins,
		"RedisNumbers":       testRedisNumbers,
		"RedisServers":       testRedisServers,
		"Listeners":          testListeners,
		"ListenerPlacement":  testListenerDeployments,
		"LeaseLife":          testLeaseLife,
		"LeaseDue":           testLeaseDue,
		"LeaseRelease":       testLeaseRelease,
		"LeaseRace":          testLeaseRace,
		"DeletionsAreApart":  testDeletionsAreTakenByThemselves,
		"LeaseModel":         testLeaseModel,
		"LogOrder":           testLogOrder,
		"LogFilters":         testLogFilters,
		"LogDedupe":          testLogDedupe,
		"LogText":            testLogText,
		"Receipts":           testReceipts,
		"ReceiptUndone":      testReceiptUndone,
		"ReceiptRace":        testReceiptRace,
		"ReceiptSweep":       testReceiptSweep,
		"Events":             testEvents,
		"EventsBounded":      testEventsBounded,
		"EventsRace":         testEventsRace,
		"Measurements":       testMeasurements,
		"MeasurementsDrop":   testMeasurementsDropped,
		"Census":             testCensus,
		"MeasurementsModel":  testMeasurementsModel,
		"StrangeText":        testStrangeText,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, open(t))) })
	}
}

// world is a store with one workspace.
type world struct {
	testing.TB
	store     slipway.Store
	workspace slipway.WorkspaceID
}

func newWorld(t *testing.T, s slipway.Store) *world {
	w := &world{TB: t, store: s, workspace: newID[slipway.WorkspaceID]()}
	w.update(func(tx slipway.Tx) error {
		return tx.InsertWorkspace(slipway.Workspace{ID: w.workspace, Name: "first", CreatedAt: at(0)})
	})
	return w
}

// at is a moment some seconds into the test's time.
func at(seconds float64) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

func newID[T ~string]() T { return slipway.NewID[T](at(0)) }

func (w *world) update(fn func(slipway.Tx) error) {
	w.Helper()
	if err := w.store.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

func (w *world) view(fn func(slipway.Tx) error) {
	w.Helper()
	if err := w.store.View(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

// refused runs fn and wants its error, or any where want is nil.
func (w *world) refused(want error, fn func(slipway.Tx) error) {
	w.Helper()
	err := w.store.Update(w.Context(), fn)
	if err == nil || want != nil && !errors.Is(err, want) {
		w.Fatalf("error is %v, want %v", err, want)
	}
}

// deployment inserts one that was made some seconds into the test's time.
func (w *world) deployment(name string, made float64) slipway.Deployment {
	w.Helper()
	id := slipway.NewID[slipway.DeploymentID](at(made))
	d := slipway.Deployment{
		ID: id, Workspace: w.workspace, Name: name, Slug: string(id), Source: slipway.SourceInternalSource,
		Status: slipway.Ready, CreatedAt: at(made), UpdatedAt: at(made), Generation: 1,
	}
	w.update(func(tx slipway.Tx) error { return tx.InsertDeployment(d) })
	return d
}

// failer is a test of either kind: testing's or rapid's.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func equal(t failer, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// read runs one reading method in a View and returns what it does.
func read[T any](w *world, fn func(slipway.Tx) (T, error)) T {
	w.Helper()
	var got T
	w.view(func(tx slipway.Tx) (err error) {
		got, err = fn(tx)
		return err
	})
	return got
}

// absent wants ErrNoRow of a reading method.
func absent[T any](w *world, fn func(slipway.Tx) (T, error)) {
	w.Helper()
	err := w.store.View(w.Context(), func(tx slipway.Tx) error {
		got, err := fn(tx)
		if err == nil {
			err = fmt.Errorf("there is %+v", got)
		}
		return err
	})
	if !errors.Is(err, slipway.ErrNoRow) {
		w.Fatalf("error is %v, want ErrNoRow", err)
	}
}

// filled fails where a field is zero: a field that is added to the domain must
// be given a value in the fixtures and so come back from the store.
func filled(t failer, v reflect.Value, path string) {
	t.Helper()
	if v.IsZero() {
		t.Fatalf("the fixture's %s is zero", path)
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() {
		return
	}
	for i := range v.NumField() {
		filled(t, v.Field(i), path+"."+v.Type().Field(i).Name)
	}
}
