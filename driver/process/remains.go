package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/ids"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
	"github.com/slipwayhq/slipway/internal/removal"
)

// Remains lists what there is of a deployment, of all if it is "": processes by
// their marks, whatever became of their folders; control groups; folders and what
// lies in them; users, and what these have in the shared memory of the machine.
func (d *Driver) Remains(ctx context.Context, id slipway.DeploymentID) ([]slipway.Thing, error) {
	if id != "" {
		if err := ids.CheckDeployment(id); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(ctx.Err(), d.checkOpen()); err != nil {
		return nil, err
	}
	all, err := d.census.take(d.everybody)
	if err != nil {
		return nil, fmt.Errorf("process: look at what runs: %w", err)
	}
	r := remains{Driver: d, of: id}
	for _, c := range all {
		if c.folder != "" {
			r.addProcess(c)
		}
	}
	err = errors.Join(r.addFolders(), r.addUsers())
	r.addGroups()
	return r.found, err
}

// remains is a look at what there is.
type remains struct {
	*Driver
	of    slipway.DeploymentID // "" for all
	found []slipway.Thing
}

// add notes a thing, if it is one that is looked for.
func (r *remains) add(t slipway.Thing) {
	if r.of == "" || t.Deployment == r.of {
		r.found = append(r.found, t)
	}
}

func (r *remains) addProcess(c claim) {
	id, i, _ := r.owner(c.folder)
	r.add(slipway.Thing{
		Kind: slipway.ItemInstance, Ref: string(i), Deployment: id,
		What: fmt.Sprintf("process %d (%s)", c.PID, procfs.Command(c.PID)), Since: c.Since(),
	})
}

// addGroups goes by the instances that were found already. A group has the name
// of its instance only: what nothing else tells of is known to be ours, but not
// whose it was.
func (r *remains) addGroups() {
	if r.of != "" {
		for _, i := range r.instanceIDs() {
			r.addGroup(r.of, i)
		}
		return
	}
	owners := map[string]slipway.DeploymentID{}
	for _, t := range r.found {
		if t.Kind == slipway.ItemInstance {
			owners[t.Ref] = t.Deployment
		}
	}
	for _, in := range r.Driver.of("") {
		owners[string(in.id)] = in.deployment
	}
	for _, name := range r.groups.Names() {
		r.addGroup(owners[name], name)
	}
}

// instanceIDs are those of the deployment that is looked at, known or found.
func (r *remains) instanceIDs() []string {
	var all []string
	for _, in := range r.Driver.of(r.of) {
		all = append(all, string(in.id))
	}
	for _, t := range r.found {
		if t.Kind == slipway.ItemInstance {
			all = append(all, t.Ref)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *remains) addGroup(id slipway.DeploymentID, i string) {
	if g := r.groups.Find(i); g != nil {
		r.add(slipway.Thing{Kind: slipway.ItemInstance, Ref: i, Deployment: id, What: "control group " + g.Folder(), Since: removal.Since(g.Folder())})
	}
}

// addFolders looks into the folder of the deployment, or of each, and for what a
// death left of a purge.
func (r *remains) addFolders() error {
	names := []string{string(r.of), filepath.Base(purgedFolder(string(r.of)))}
	if r.of == "" {
		var err error
		if names, err = entriesOf(r.root); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range names {
		id := slipway.DeploymentID(strings.TrimPrefix(name, purgedPrefix))
		if ids.CheckDeployment(id) != nil {
			continue // it is not ours
		}
		errs = append(errs, r.addFolder(id, filepath.Join(r.root, name)))
	}
	return errors.Join(errs...)
}

// addFolder tells of what lies in a deployment's folder or, if that is nothing,
// of the folder.
func (r *remains) addFolder(id slipway.DeploymentID, folder string) error {
	names, err := entriesOf(folder)
	if err != nil {
		return err
	}
	told := len(r.found)
	for _, name := range names {
		path := filepath.Join(folder, name)
		inner, err := entriesOf(path)
		switch {
		case err != nil:
			return err
		case name == instances && len(inner) > 0:
			r.addInstances(id, path, inner)
		case name == snapshots && len(inner) > 0:
			r.addState(id, path, inner...)
		default:
			r.addState(id, folder, name)
		}
	}
	if len(r.found) == told {
		r.addState(id, folder, "")
	}
	return nil
}

func (r *remains) addState(id slipway.DeploymentID, folder string, names ...string) {
	for _, name := range names {
		r.addPath(slipway.ItemState, string(id), id, filepath.Join(folder, name))
	}
}

func (r *remains) addInstances(id slipway.DeploymentID, folder string, names []string) {
	for _, name := range names {
		in := newInstance(id, slipway.InstanceID(name), filepath.Join(folder, name))
		for _, path := range []string{in.folder, in.output(), in.control()} {
			r.addPath(slipway.ItemInstance, name, id, path)
		}
	}
}

// addPath notes what is at a path, if there is anything.
func (r *remains) addPath(kind slipway.ItemKind, ref string, id slipway.DeploymentID, path string) {
	if _, err := os.Lstat(path); !removal.Absent(err) {
		r.add(slipway.Thing{Kind: kind, Ref: ref, Deployment: id, What: path, Since: removal.Since(path)})
	}
}

// addUsers tells who has a user of this machine, which goes with the state, and
// what that user has in shared memory: the one place that agents write to beside
// their folders.
func (r *remains) addUsers() error {
	if !r.walls.Users.any() {
		return nil
	}
	taken, err := r.readUsers()
	if err != nil {
		return err
	}
	for uid, folder := range taken {
		id := slipway.DeploymentID(filepath.Base(folder))
		if ids.CheckDeployment(id) != nil || folder != r.deploymentFolder(id) || r.of != "" && id != r.of {
			continue // another installation's, or not asked for
		}
		link := r.userLink(uid)
		r.add(slipway.Thing{
			Kind: slipway.ItemState, Ref: string(id), Deployment: id,
			What: fmt.Sprintf("user %d (%s)", uid, link), Since: removal.Since(link),
		})
		for _, path := range ownedBy(uid) {
			r.addPath(slipway.ItemState, string(id), id, path)
		}
	}
	return nil
}

// ownedBy lists what a user has in shared memory.
func ownedBy(uid int) (paths []string) {
	for _, folder := range shared {
		names, _ := entriesOf(folder)
		for _, name := range names {
			path := filepath.Join(folder, name)
			if info, err := os.Lstat(path); err == nil && ownerOf(info) == uid {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

func (d *Driver) userLink(uid int) string { return filepath.Join(d.walls.Taken, strconv.Itoa(uid)) }

// entriesOf names what lies in a folder; what is none has nothing.
func entriesOf(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !removal.Absent(err) {
		return nil, fmt.Errorf("process: look at what is left: %w", err)
	}
	return names(entries), nil
}

func names(entries []fs.DirEntry) []string {
	list := make([]string, len(entries))
	for n, entry := range entries {
		list[n] = entry.Name()
	}
	return list
}
