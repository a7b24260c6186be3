package service_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/service"
)

// certificates are those that there are, by name, and why none can be removed.
type certificates struct {
	mu    sync.Mutex
	there map[string]bool
	stuck error
}

func (c *certificates) Names(context.Context) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.there)), nil
}

func (c *certificates) Remove(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stuck == nil {
		delete(c.there, name)
	}
	return c.stuck
}

func (c *certificates) stick(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck = why
}

func (c *certificates) left() string {
	names, _ := c.Names(context.Background())
	return strings.Join(names, " ")
}

// certified is a plane with a certificate for app.example.com and its neighbour.
func certified(t *testing.T) (*plane, *certificates) {
	given := &certificates{there: map[string]bool{"app.example.com": true, "app.example.org": true, "neighbour.example.com": true}}
	return newPlane(t, func(_ *plane, c *service.Config) { c.Certificates = given }), given
}

// certificateOf is that item of an inventory, or of a receipt.
func certificateOf(items []slipway.Item) (found slipway.Item) {
	for _, i := range items {
		if i.Kind == slipway.ItemCertificate {
			found = i
		}
	}
	return found
}

// A certificate is written down before it is made, once, and only for a name at
// which a deployment is. It goes with that, and the receipt has the proof.
func TestCertificates(t *testing.T) {
	p, given := certified(t)
	d := p.create("app").ID
	for range 2 {
		must(t, p.PlanCertificate(t.Context(), "app.example.com"))
	}
	must(t, p.AdoptCertificates(t.Context(), []string{"app.example.com", "nobody.example.com"}))
	if err := p.PlanCertificate(t.Context(), "nobody.example.com"); slipway.CodeOf(err) != slipway.CodeNotFound {
		t.Errorf("for nobody: %v", err)
	}
	if i := certificateOf(p.items(d)); i.Ref != "app.example.com" {
		t.Fatalf("planned: %+v", i)
	}
	must(t, p.PlanCertificate(t.Context(), "app.example.org")) // the server's domain was another one
	plan, err := p.DeletionPlan(t.Context(), p.who, d)
	must(t, err)
	if certificateOf(plan.Remove).Ref == "" {
		t.Errorf("the plan has it not: %+v", plan.Remove)
	}
	given.stick(errors.New("the disk is read-only"))
	must(t, p.Delete(t.Context(), p.who, d, slipway.DeleteOptions{}))
	p.coordinate()
	testsignal.Until(t, "the reason to be shown", func() bool {
		return certificateOf(p.receipt(d).Items).LastError == "remove certificate: the disk is read-only"
	})
	given.stick(nil)
	p.pass(time.Hour)
	p.coordinate()
	if i := certificateOf(p.ended(d).Items); i.VerifiedAt.IsZero() {
		t.Errorf("no proof: %+v", i)
	}
	if left := given.left(); left != "neighbour.example.com" {
		t.Errorf("left are %s", left)
	}
}

// The certificate of a name that another deployment has by now stays, and goes
// with that one.
func TestCertificatesAreInherited(t *testing.T) {
	p, given := certified(t)
	first := p.create("app").ID
	must(t, p.PlanCertificate(t.Context(), "app.example.com"))
	given.stick(errors.New("not yet"))
	must(t, p.Delete(t.Context(), p.who, first, slipway.DeleteOptions{}))
	p.coordinate()
	testsignal.Until(t, "it to be stuck", func() bool { return certificateOf(p.receipt(first).Items).Attempts > 0 })
	given.stick(nil)
	second := p.create("app").ID
	p.pass(time.Hour)
	p.coordinate()
	receipt := p.ended(first)
	if i := slices.IndexFunc(receipt.Keep, func(k slipway.KeptItem) bool { return k.Kind == slipway.ItemCertificate }); i < 0 || given.left() != "app.example.com app.example.org neighbour.example.com" {
		t.Errorf("kept are %+v, left %s", receipt.Keep, given.left())
	}
	if certificateOf(p.items(second)).Ref != "app.example.com" {
		t.Errorf("the heir has %+v", p.items(second))
	}
	must(t, p.Delete(t.Context(), p.who, second, slipway.DeleteOptions{}))
	p.coordinate()
	if i := certificateOf(p.ended(second).Items); i.VerifiedAt.IsZero() || given.left() != "app.example.org neighbour.example.com" {
		t.Errorf("in the end: %+v, %s", i, given.left())
	}
}
