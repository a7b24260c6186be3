package process

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/reason"
	"github.com/slipwayhq/slipway/driver/process/internal/procfs"
	"github.com/slipwayhq/slipway/internal/confine"
)

// adopt finds out what became of every instance while nobody watched. Nobody
// else can start one: the lock of the root is ours.
func (d *Driver) adopt() error {
	claims, err := d.claims()
	if err != nil {
		return err
	}
	folders, err := d.stored()
	if err != nil {
		return err
	}
	byFolder := map[string][]claim{}
	for _, folder := range folders {
		byFolder[folder] = nil
	}
	for _, c := range claims {
		byFolder[c.folder] = append(byFolder[c.folder], c)
	}
	for folder, claims := range byFolder {
		id, i, _ := d.owner(folder)
		in := d.add(id, i)
		if err := d.adoptOne(in, claims); err != nil {
			// One that is in trouble keeps nobody else from being adopted.
			slog.Warn("an agent is not adopted: what runs of it is ended before it is started again", "instance", in.id, "error", err)
			in.soil()
		}
	}
	return nil
}

// adoptOne decides by what was written down and what runs. On an error the instance
// is as one that is absent.
func (d *Driver) adoptOne(in *instance, claims []claim) error {
	s, err := loadState(in.folder)
	if err != nil {
		slog.Warn("the record of an instance can not be read: what runs of it counts", "instance", in.id, "error", err)
	}
	in.state, in.dirty = s, err != nil
	var r *run
	switch s.Phase {
	case running:
		r, err = d.recorded(in)
	case exited:
	default:
		claims = settle(claims)
		r, err = d.unrecorded(in, claims)
	}
	if err != nil {
		return err
	}
	if r == nil {
		in.dirty = in.dirty || len(claims) > 0
		return finish(claims)
	}
	env, _ := procfs.Environ(r.pid)
	r.group = d.group(in)
	in.begin(r, in.state, reason.Secrets(agentVars(env)))
	d.watch(in, r)
	return nil
}

// recorded takes hold of a process that was written down, or notes its end.
func (d *Driver) recorded(in *instance) (*run, error) {
	s := in.state
	if s.Boot != d.boot {
		d.recordEnd(d.alive, in, unseen(in))
		return nil, nil
	}
	r, err := hold(s.PID, s.Start)
	if err != nil {
		return nil, err
	}
	if r == nil {
		d.recordEnd(d.alive, in, unseen(in))
		return nil, nil
	}
	if r.hasEnded() {
		d.recordEnd(d.alive, in, r.ending())
		r.close()
		return nil, nil
	}
	return r, nil
}

// settlePatience bounds the wait for children of a dead server.
const settlePatience = 5 * time.Second

// settle waits for those that were on their way to become an agent as their
// server died: they become it, or end because they were never told what to be.
func settle(claims []claim) []claim {
	ctx, cancel := context.WithTimeout(context.Background(), settlePatience)
	defer cancel()
	var settled []claim
	for _, c := range claims {
		waited := false
		for c.unsettled() && pause(ctx, time.Millisecond) == nil {
			waited = true
		}
		if waited {
			c.env, _ = procfs.Environ(c.PID)
		}
		if !c.ended() {
			settled = append(settled, c)
		}
	}
	return settled
}

func (c claim) unsettled() bool {
	if confine.IsChild(c.PID) {
		return !c.ended()
	}
	p, err := procfs.Stat(c.PID)
	return err == nil && p.Exiting && !p.Ended()
}

// unrecorded looks for the process of an attempt that may have been started:
// the leader of a session with the marker.
func (d *Driver) unrecorded(in *instance, claims []claim) (*run, error) {
	slices.SortFunc(claims, func(a, b claim) int { return cmp.Compare(a.Start, b.Start) })
	leader := slices.IndexFunc(claims, func(c claim) bool { return c.Session == c.PID })
	if leader < 0 {
		if ran := len(claims) > 0 || in.outputSize() > in.state.Offset; ran && in.state.Phase == starting {
			d.recordEnd(d.alive, in, unseen(in))
		}
		return nil, nil
	}
	c := claims[leader]
	r, err := hold(c.PID, c.Start)
	if r == nil || err != nil {
		return nil, err
	}
	s := in.state.completed(c)
	s.Phase, s.Boot, s.PID, s.Start = running, d.boot, c.PID, c.Start
	if err := in.record(s, d.at); err != nil {
		slog.Warn("an adopted agent could not be written down", "instance", in.id, "error", err)
		in.state = s
	}
	return r, nil
}

// completed takes from a process what its lost record would have said.
func (s state) completed(c claim) state {
	if s.Attempt == 0 {
		s.Attempt, _ = strconv.Atoi(c.env.Get(varAttempt))
	}
	if s.Port == 0 {
		s.Port, _ = strconv.Atoi(c.env.Get(varPort))
		s.Socket, s.Keeps = c.env.Get(varSocket) != "", c.env.Get(varKeep) != ""
	}
	return s
}

// unseen is an end that nobody saw; it last wrote when it still ran.
func unseen(in *instance) exit {
	at := time.Now()
	if file, err := os.Lstat(in.output()); err == nil {
		at = file.ModTime()
	}
	return exit{Code: -1, At: at}
}

// finish kills what a main process has left behind. Stop and Apply make sure of
// it; here nobody waits.
func finish(claims []claim) error {
	for _, c := range claims {
		if err := c.kill(); err != nil {
			return err
		}
	}
	return nil
}

// agentVars are the variables of a process that were not set by us alone.
func agentVars(env procfs.Env) []slipway.EnvVar {
	ours := []string{"HOME", "TMPDIR", "HOST", varPort, varInstance, varAttempt, varFolder, varState, varKeep, varPublic, varControl, varStandBy, varSocket}
	public := strings.Split(env.Get(varPublic), ",")
	var vars []slipway.EnvVar
	for _, pair := range env.All() {
		name, value, _ := strings.Cut(pair, "=")
		if !slices.Contains(ours, name) {
			vars = append(vars, slipway.EnvVar{Name: name, Value: value, Public: slices.Contains(public, name)})
		}
	}
	return vars
}
