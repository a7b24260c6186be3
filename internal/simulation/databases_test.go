package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/slipwayhq/slipway"
)

// servers are a PostgreSQL and a Redis that outlive every process.
type servers struct {
	w *world

	mu     sync.Mutex
	bases  map[slipway.DeploymentID]*base
	redis  map[int]slipway.DeploymentID
	agents map[slipway.InstanceID]string // what they were given to sign in by
	paired map[slipway.InstanceID]bool   // which were given a Redis of their own
}

// base is what a deployment has in PostgreSQL.
type base struct {
	there   bool
	content string
	logins  map[int]string
}

const redisNumbers = 40

func newServers(w *world) *servers {
	return &servers{w: w, bases: map[slipway.DeploymentID]*base{}, redis: map[int]slipway.DeploymentID{}, agents: map[slipway.InstanceID]string{}, paired: map[slipway.InstanceID]bool{}}
}

var errDown = errors.New("the server does not answer")

// enter begins a call to a server that may be down.
func (s *servers) enter(name string) (leave func(), err error) {
	if s.w.failing(name) {
		return nil, errDown
	}
	s.mu.Lock()
	return s.mu.Unlock, nil
}

func (s *servers) of(d slipway.DeploymentID) *base {
	if s.bases[d] == nil {
		s.bases[d] = &base{logins: map[int]string{}}
	}
	return s.bases[d]
}

func (s *servers) Where() string { return "there" }

func (s *servers) Reach(context.Context) error {
	leave, err := s.enter("postgres")
	if err == nil {
		leave()
	}
	return err
}

func (s *servers) Provide(_ context.Context, r slipway.DatabaseRequest) (string, error) {
	s.w.mustOwn(r.Deployment, slipway.ItemDatabase, string(r.Deployment))
	s.w.mustOwn(r.Deployment, slipway.ItemLogin, strconv.Itoa(r.Login.Number))
	leave, err := s.enter("postgres")
	if err != nil {
		return "", err
	}
	defer leave()
	b := s.of(r.Deployment)
	if r.Made && !b.there {
		return "", slipway.ErrDatabaseGone
	}
	if had := b.logins[r.Login.Number]; had != "" && had != r.Login.Password {
		s.w.fault("login %d of %s has two passwords", r.Login.Number, r.Deployment)
	}
	b.there, b.logins[r.Login.Number] = true, r.Login.Password
	return fmt.Sprintf("postgresql://%s-%d:%s@localhost/", r.Deployment, r.Login.Number, r.Login.Password), nil
}

func (s *servers) Logins(_ context.Context, d slipway.DeploymentID) ([]int, error) {
	leave, err := s.enter("postgres")
	if err != nil {
		return nil, err
	}
	defer leave()
	var numbers []int
	for n := range s.of(d).logins {
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func (s *servers) Retire(_ context.Context, d slipway.DeploymentID, number int) error {
	s.mayRetire(d, number)
	leave, err := s.enter("postgres")
	if err != nil {
		return err
	}
	defer leave()
	delete(s.of(d).logins, number)
	return nil
}

// mayRetire: a login that somebody runs with stays.
func (s *servers) mayRetire(d slipway.DeploymentID, number int) {
	all, _ := s.w.fake.List(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range all {
		uses := strings.HasPrefix(s.agents[o.Instance], fmt.Sprintf("postgresql://%s-%d:", d, number))
		if o.Deployment == d && o.Phase == slipway.PhaseRunning && uses {
			s.w.fault("login %d is removed while %s runs with it", number, o.Instance)
		}
	}
}

func (s *servers) Usage(context.Context, slipway.DeploymentID) (slipway.DatabaseUsage, error) {
	return slipway.DatabaseUsage{}, nil
}

func (s *servers) Purge(_ context.Context, d slipway.DeploymentID) error {
	leave, err := s.enter("postgres")
	if err != nil {
		return err
	}
	defer leave()
	delete(s.bases, d)
	return nil
}

func (s *servers) Remains(_ context.Context, d slipway.DeploymentID) (things []slipway.Thing, _ error) {
	leave, err := s.enter("postgres")
	if err != nil {
		return nil, err
	}
	defer leave()
	for id, b := range s.bases {
		if d != "" && d != id {
			continue
		}
		if b.there {
			things = append(things, slipway.Thing{Kind: slipway.ItemDatabase, Ref: string(id), Deployment: id, What: "database " + string(id)})
		}
		for n := range b.logins {
			things = append(things, slipway.Thing{Kind: slipway.ItemLogin, Ref: strconv.Itoa(n), Deployment: id, What: fmt.Sprintf("role %s-%d", id, n)})
		}
	}
	return things, nil
}

// drop removes a database behind everybody's back.
func (s *servers) drop(d slipway.DeploymentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(d).there = false
}

// began notes what an instance was given.
func (s *servers) began(l slipway.Workload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	uri := slipway.ValueOf(l.Env, "POSTGRES_URI")
	s.agents[l.Instance], s.paired[l.Instance] = uri, strings.Contains(slipway.ValueOf(l.Env, "REDIS_URI"), "@")
	needs := s.w.script(l.Deployment, l.Revision)["kind"] == "based"
	if needs && (uri == "" || slipway.ValueOf(l.Env, "REDIS_URI") == "") {
		s.w.fault("instance %s starts without its databases", l.Instance)
	}
}

// numbers is the Redis of the servers.
type numbers struct{ *servers }

func (n numbers) Free(context.Context) (free []int, _ error) {
	leave, err := n.enter("redis")
	if err != nil {
		return nil, err
	}
	defer leave()
	for number := 1; number < redisNumbers; number++ {
		if n.redis[number] == "" {
			free = append(free, number)
		}
	}
	return free, nil
}

func (n numbers) Provide(_ context.Context, d slipway.DeploymentID, number int, _ bool) (string, error) {
	n.w.mustOwn(d, slipway.ItemRedis, strconv.Itoa(number))
	leave, err := n.enter("redis")
	if err != nil {
		return "", err
	}
	defer leave()
	if has := n.redis[number]; has != "" && has != d {
		n.w.fault("number %d is given to %s and to %s", number, has, d)
	}
	n.redis[number] = d
	return fmt.Sprintf("redis://localhost/%d", number), nil
}

func (n numbers) Purge(_ context.Context, d slipway.DeploymentID, number int) error {
	leave, err := n.enter("redis")
	if err != nil {
		return err
	}
	defer leave()
	if n.redis[number] == d {
		delete(n.redis, number)
	}
	return nil
}

func (n numbers) Remains(_ context.Context, d slipway.DeploymentID) (things []slipway.Thing, _ error) {
	leave, err := n.enter("redis")
	if err != nil {
		return nil, err
	}
	defer leave()
	for number, id := range n.redis {
		if d == "" || d == id {
			things = append(things, slipway.Thing{Kind: slipway.ItemRedis, Ref: strconv.Itoa(number), Deployment: id, What: fmt.Sprint("number ", number)})
		}
	}
	return things, nil
}

// left is what a scan of the servers finds.
func (s *servers) left(d slipway.DeploymentID) ([]slipway.Thing, error) {
	bases, err1 := s.Remains(context.Background(), d)
	keys, err2 := numbers{s}.Remains(context.Background(), d)
	return slices.Concat(bases, keys), errors.Join(err1, err2)
}

// mortalDatabases are the servers as one life asks them.
type mortalDatabases struct {
	*servers
	p *plane
}

func (m mortalDatabases) Reach(ctx context.Context) error {
	return do(m.p, "Reach", func() error { return m.servers.Reach(ctx) })
}

func (m mortalDatabases) Provide(ctx context.Context, r slipway.DatabaseRequest) (string, error) {
	return live(m.p, "Provide", func() (string, error) { return m.servers.Provide(ctx, r) })
}

func (m mortalDatabases) Retire(ctx context.Context, d slipway.DeploymentID, number int) error {
	return do(m.p, "Retire", func() error { return m.servers.Retire(ctx, d, number) })
}

func (m mortalDatabases) Purge(ctx context.Context, d slipway.DeploymentID) error {
	return do(m.p, "PurgeDatabase", func() error { return m.servers.Purge(ctx, d) })
}

func (m mortalDatabases) Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error) {
	return live(m.p, "RemainsOfDatabases", func() ([]slipway.Thing, error) { return m.servers.Remains(ctx, d) })
}

// mortalRedis likewise.
type mortalRedis struct {
	numbers
	p *plane
}

func (m mortalRedis) Free(ctx context.Context) ([]int, error) {
	return live(m.p, "Free", func() ([]int, error) { return m.numbers.Free(ctx) })
}

func (m mortalRedis) Provide(ctx context.Context, d slipway.DeploymentID, number int, contained bool) (string, error) {
	return live(m.p, "ProvideRedis", func() (string, error) { return m.numbers.Provide(ctx, d, number, contained) })
}

func (m mortalRedis) Purge(ctx context.Context, d slipway.DeploymentID, number int) error {
	return do(m.p, "PurgeRedis", func() error { return m.numbers.Purge(ctx, d, number) })
}

func (m mortalRedis) Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error) {
	return live(m.p, "RemainsOfRedis", func() ([]slipway.Thing, error) { return m.numbers.Remains(ctx, d) })
}

// rotate gives a deployment another password.
func (w *world) rotate(a *app) {
	s, _ := w.control.current()
	v, err := s.RotatePassword(context.Background(), w.who, a.id)
	if err != nil {
		w.expected("rotate", err)
		return
	}
	w.remember(a, v.Newest.ID, w.script(a.id, v.Active))
}

// checkDatabase: what runs has a database, one login to it, and a number.
func (w *world) checkDatabase(a *app, d slipway.Deployment) {
	things, err := w.servers.left(a.id)
	if err != nil {
		w.fault("look at the databases of %s: %v", a.name, err)
	}
	if d.Active == "" || w.script(a.id, d.Active)["kind"] != "based" || !works(w.agents.mode(w.script(a.id, d.Active))) {
		return
	}
	var kinds []string
	for _, t := range things {
		kinds = append(kinds, string(t.Kind))
	}
	slices.Sort(kinds)
	want := []string{"database", "login", "redis"}
	if w.paired {
		want = want[:2]
	}
	if !slices.Equal(kinds, want) || d.Status != slipway.Ready || d.ProvidedAt.IsZero() {
		w.fault("%s is %s and has %q, want %q", a.name, d.Status, kinds, want)
	}
}
