package service_test

import (
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// Whoever opens a deployment to everybody, or closes it again, is written down;
// who only says again what holds is not.
func TestOpeningIsAudited(t *testing.T) {
	p := newPlane(t)
	_, who, _ := p.principals()
	audited := len(p.audited())
	made, err := p.Create(t.Context(), who, slipway.NewDeployment{
		Name: "open", Source: slipway.SourceInternalSource, Config: slipway.SourceConfig{Access: slipway.AccessPublic},
	})
	must(t, err)
	closed, err := p.Create(t.Context(), who, slipway.NewDeployment{Name: "closed", Source: slipway.SourceInternalSource})
	must(t, err)
	for _, s := range []struct {
		of      slipway.DeploymentID
		becomes slipway.Access
		want    slipway.AuditAction // "" for none
	}{
		{made.ID, "", slipway.AuditOpened}, // when it was made
		{made.ID, slipway.AccessPublic, ""},
		{made.ID, slipway.AccessKey, slipway.AuditClosed},
		{made.ID, slipway.AccessKey, ""},
		{closed.ID, slipway.AccessKey, ""},
		{closed.ID, slipway.AccessPublic, slipway.AuditOpened},
	} {
		if s.becomes != "" {
			_, err := p.Patch(t.Context(), who, s.of, slipway.Change{Access: &s.becomes})
			must(t, err)
		}
		got := p.audited()
		if s.want == "" {
			if len(got) != audited {
				t.Errorf("%s says %q again: %+v", s.of, s.becomes, got[0])
			}
			continue
		}
		audited++
		if len(got) != audited || got[0].Action != s.want || got[0].Target != string(s.of) || got[0].Key != who.Key || got[0].Workspace != who.Workspace {
			t.Errorf("%q of %s: %d events, the last %+v", s.becomes, s.of, len(got), got[0])
		}
	}
}

// Whoever rotates the password of a database is written down, once however often
// the request is sent; who is refused is not.
func TestRotationIsAudited(t *testing.T) {
	p := newPlane(t)
	d, _ := p.based("app")
	plain, _ := p.served("plain")
	audited := len(p.audited())
	if _, err := p.RotatePassword(t.Context(), p.who, plain.ID); err == nil {
		t.Error("a password of no database is rotated")
	}
	again := p.keyed("once", "hash")
	for range 2 {
		_, err := p.RotatePassword(again, p.who, d.ID)
		must(t, err)
	}
	got := p.audited()
	if len(got) != audited+1 || got[0].Action != slipway.AuditPasswordRotated || got[0].Target != string(d.ID) || got[0].Key != p.who.Key || got[0].Workspace != p.who.Workspace {
		t.Errorf("%d events, the last %+v", len(got)-audited, got[0])
	}
}

// Whoever deletes, forces, restores, purges or protects is written down, once; what the
// server does by itself is not.
func TestDeletionIsAudited(t *testing.T) {
	p := newPlane(t, keeping)
	_, who, _ := p.principals()
	made, err := p.Create(t.Context(), who, slipway.NewDeployment{Name: "app", Source: slipway.SourceInternalSource})
	must(t, err)
	protect := func(on bool) func() error {
		return func() error {
			_, err := p.Patch(t.Context(), who, made.ID, slipway.Change{Protected: &on})
			return err
		}
	}
	remove := func(now bool) func() error {
		return func() error { return p.Delete(t.Context(), who, made.ID, slipway.DeleteOptions{Now: now}) }
	}
	restore := func() error {
		_, err := p.Restore(t.Context(), who, made.ID, "")
		return err
	}
	purge := func() error { return p.Purge(t.Context(), who, made.ID) }
	force := func() error { return p.ForceDelete(t.Context(), who, made.ID, slipway.DeleteOptions{}) }
	refused := func(do func() error) func() error {
		return func() error {
			if do() == nil {
				t.Error("it was not refused")
			}
			return nil
		}
	}
	audited := len(p.audited())
	for n, s := range []struct {
		do   func() error
		want slipway.AuditAction // "" for none
	}{
		{protect(true), slipway.AuditProtected},
		{protect(true), ""},
		{protect(false), slipway.AuditUnprotected},
		{refused(force), ""}, // of one that is not being deleted
		{remove(false), slipway.AuditDeleted},
		{restore, slipway.AuditRestored},
		{remove(false), slipway.AuditDeleted},
		{purge, slipway.AuditPurged},
	} {
		must(t, s.do())
		got := p.audited()
		if s.want != "" {
			audited++
		}
		if len(got) != audited || s.want != "" && (got[0].Action != s.want || got[0].Target != string(made.ID) || got[0].Key != who.Key) {
			t.Errorf("step %d, %q: %d events, the last %+v", n, s.want, len(got), got[0])
		}
	}
}

// A deletion that is asked for again is no other deed, unless more is asked for.
func TestARepeatedDeletionIsAuditedOnce(t *testing.T) {
	p := newPlane(t, keeping)
	d, _ := p.served("app")
	before := len(p.audited())
	for _, now := range []bool{false, false, true, true} {
		must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{Now: now}))
		p.pass(time.Second)
	}
	got := p.audited()
	if len(got) != before+2 || got[1].Action != slipway.AuditDeleted || got[0].Action != slipway.AuditPurged || got[0].Target != string(d.ID) {
		t.Errorf("%d events, the last %+v and %+v", len(got)-before, got[0], got[1])
	}
}
