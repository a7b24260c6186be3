package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/slipwayhq/slipway"
)

// databaseWanted writes a database and a login to it before either is made.
func (r *report) databaseWanted() (err error) {
	if err := r.AddItem(slipway.Item{Deployment: r.d.ID, Kind: slipway.ItemDatabase, Ref: string(r.d.ID), CreatedAt: r.now}); err != nil {
		return err
	}
	switch logins, err := r.ListLogins(r.d.ID); {
	case err != nil:
		return err
	case len(logins) == 0:
		if err := r.newLogin(r.d.ID, 0); err != nil {
			return err
		}
	}
	if !r.d.ProvidedAt.IsZero() || r.d.Status == slipway.AwaitingDatabase {
		return nil
	}
	r.d.Status, err = r.d.Status.After(slipway.Await)
	r.dirty = true
	return err
}

// newLogin writes a login with a password that nobody has seen. Its number was
// never that of another.
func (c *change) newLogin(d slipway.DeploymentID, revision int64) error {
	items, err := c.ListItems(d)
	if err != nil {
		return fmt.Errorf("read inventory: %w", err)
	}
	number := 1
	for _, i := range items {
		if n, err := strconv.Atoi(i.Ref); err == nil && i.Kind == slipway.ItemLogin {
			number = max(number, n+1)
		}
	}
	if err := c.AddItem(slipway.Item{Deployment: d, Kind: slipway.ItemLogin, Ref: strconv.Itoa(number), CreatedAt: c.now}); err != nil {
		return err
	}
	return c.InsertLogin(slipway.SealedLogin{
		Deployment: d, Number: number, Revision: revision, CreatedAt: c.now,
		Sealed: c.service.sealer.Seal(rand.Text(), loginRow(d, number)),
	})
}

// loginRow names the row that a password is bound to.
func loginRow(d slipway.DeploymentID, number int) string {
	return fmt.Sprintf("login/%s/%d", d, number)
}

// databaseAwaited writes why a database is not there yet, where those look who
// wait for it.
func (r *report) databaseAwaited(reason string) error {
	if r.d.Status != slipway.AwaitingDatabase {
		return nil
	}
	if r.d.Active == "" && r.d.Health.Reason != reason {
		r.d.Health, r.dirty = slipway.Health{State: slipway.Unhealthy, Reason: reason, Since: r.now}, true
	}
	return r.explain(reason)
}

func (r *report) databaseProvided() (err error) {
	if r.d.Status, err = r.d.Status.After(slipway.Provide); err != nil {
		return err
	}
	if r.d.Active == "" {
		r.d.Health = slipway.Health{}
	}
	r.d.ProvidedAt, r.dirty = r.now, true
	return r.explain("")
}

// explain writes what the revision in progress waits for, "" for nothing.
func (r *report) explain(reason string) error {
	open, err := r.OpenRevisions(r.d.ID)
	if err != nil {
		return fmt.Errorf("read open revisions: %w", err)
	}
	for i := range open {
		if rev := &open[i]; rev.Status.InProgress() && rev.Message != reason {
			rev.Message = reason
			return wrap("write revision", r.UpdateRevision(rev, rev.Status))
		}
	}
	return nil
}

// redisWanted gives a deployment one of the numbers that nobody has.
func (r *report) redisWanted(numbers []int) error {
	number, err := r.RedisNumber(r.d.ID)
	if errors.Is(err, slipway.ErrNoRow) {
		number, err = r.newRedisNumber(numbers)
	}
	if err != nil {
		return err
	}
	return r.AddItem(slipway.Item{Deployment: r.d.ID, Kind: slipway.ItemRedis, Ref: strconv.Itoa(number), CreatedAt: r.now})
}

func (r *report) newRedisNumber(numbers []int) (int, error) {
	taken, err := r.ListRedisNumbers()
	if err != nil {
		return 0, err
	}
	free := slices.IndexFunc(numbers, func(n int) bool { return !slices.Contains(taken, n) })
	if free < 0 {
		return 0, &slipway.Failure{
			Phase: slipway.PhaseDeploy, Step: "reserve a Redis database", Code: "no_free_redis",
			Message: "All databases of the Redis that deployments share are taken or hold what is not ours.",
			Hint:    "Raise 'databases' in the configuration of that Redis, or delete deployments.",
		}
	}
	return numbers[free], r.InsertRedisNumber(r.d.ID, numbers[free])
}

// giveUpLogins releases the logins that a rotation has replaced, once no instance
// is left that may have signed in by them.
func (r *report) giveUpLogins() error {
	if r.d.ProvidedAt.IsZero() || r.d.Active == "" {
		return nil
	}
	logins, err := r.ListLogins(r.d.ID)
	if err != nil || len(logins) < 2 {
		return err
	}
	newest := logins[len(logins)-1]
	instances, err := r.ListInstances(r.d.ID)
	if err != nil {
		return err
	}
	using := []slipway.RevisionID{r.d.Active}
	for _, i := range instances {
		using = append(using, i.Revision)
	}
	for _, id := range using {
		if rev, err := r.Revision(r.d.ID, id); err != nil || rev.Number < newest.Revision {
			return err
		}
	}
	for _, l := range logins[:len(logins)-1] {
		if err := r.ReleaseItem(r.d.ID, slipway.ItemLogin, strconv.Itoa(l.Number), r.now); err != nil {
			return err
		}
	}
	return nil
}

// forgetLogin removes the password of a login that is gone.
func (r *report) forgetLogin(ref string) error {
	number, err := strconv.Atoi(ref)
	if err != nil {
		return fmt.Errorf("number of login: %w", err)
	}
	return ignoreGone(r.DeleteLogin(r.d.ID, number))
}

// Login implements slipway.Sync.
func (s *Service) Login(ctx context.Context, l slipway.Lease) (slipway.Login, error) {
	var login slipway.Login
	err := s.read(ctx, func(c *change) error {
		if err := c.CheckLease(l); err != nil {
			return err
		}
		logins, err := c.ListLogins(l.Deployment)
		if err == nil && len(logins) == 0 {
			err = slipway.ErrNoRow
		}
		if err != nil {
			return err
		}
		newest := logins[len(logins)-1]
		login.Number = newest.Number
		login.Password, err = s.sealer.Open(newest.Sealed, loginRow(l.Deployment, newest.Number))
		return err
	})
	return login, wrap("read login", err)
}

// RotatePassword gives a deployment a new login to its database, and a revision
// that runs what the active one does. The old login goes with the last instance
// that may use it.
func (s *Service) RotatePassword(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (slipway.DeploymentView, error) {
	var view slipway.DeploymentView
	err := s.once(ctx, who, func(c *change) (string, error) {
		d, err := c.live(who, id)
		if err != nil {
			return "", err
		}
		if err := c.rotate(&d); err != nil {
			return "", err
		}
		if err := c.audit(who, d.Workspace, slipway.AuditPasswordRotated, string(id)); err != nil {
			return "", err
		}
		view, err = c.view(d.ID)
		return string(id), err
	}, showDeployment(who, &view))
	return s.show(ctx, who, view, wrap("rotate database password", err))
}

func (c *change) rotate(d *slipway.Deployment) error {
	switch {
	case d.ProvidedAt.IsZero():
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s has no database that was made for it, so there is no password to rotate.", d.ID)
	case d.Active == "":
		return slipway.Errorf(slipway.CodeConflict, "Deployment ID %s runs nothing yet: its password can be rotated once a revision is deployed.", d.ID)
	}
	active, err := c.Revision(d.ID, d.Active)
	if err != nil {
		return fmt.Errorf("read active revision: %w", err)
	}
	if err := c.redeployable(active); err != nil {
		return err
	}
	copied, err := c.copyOf(d, active, slipway.Revision{})
	if err != nil {
		return err
	}
	return c.newLogin(d.ID, copied.Number)
}

// brings says what the variables of a revision name of databases. One without a
// value names none.
func (c *change) brings(r *slipway.Revision) (slipway.Needs, error) {
	var brought slipway.Needs
	if r.Secrets == "" {
		return brought, nil
	}
	names, err := c.SecretNames(r.Secrets)
	if err != nil || !slices.ContainsFunc(names, slipway.NamesDatabase) {
		return brought, err
	}
	vars, err := c.variables(r.Secrets)
	return slipway.Brings(vars), err
}
