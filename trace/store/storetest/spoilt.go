package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/slipwayhq/slipway/trace"
	"github.com/slipwayhq/slipway/trace/store"
)

// What an engine does not take is refused alone, whatever shares a commit with it.
func testSpoilt(t *testing.T, w *world) {
	const writers = 60
	for range 3 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		place := w.place
		w.place.Open = func(t testing.TB) store.Engine { return fussy{place.Open(t)} }
		w.open(store.Config{})
		w.place = place
		ops := make([]trace.Op, writers)
		for i := range ops {
			ops[i] = w.post("good", float64(i%2*24*3600))
			if i < 4 {
				ops[i].Run.Outputs = w.noise(byte(i))
			}
		}
		ops[writers/2].Run.Name = disliked
		var all sync.WaitGroup
		for _, o := range ops {
			all.Go(func() {
				errs, err := w.Write(t.Context(), []trace.Op{o})
				if bad := o.Run.Name == disliked; bad != (err != nil) || !bad && errs[0] != nil {
					t.Errorf("%s: %v, %v", o.Run.Name, errs, err)
				}
			})
		}
		all.Wait()
		for i, o := range ops {
			if i != writers/2 {
				w.read(w.run(o.Run.ID).Outputs)
			}
		}
	}
}

const disliked = "disliked"

// fussy is an engine that does not take runs of one name.
type fussy struct{ store.Engine }

func (f fussy) Update(ctx context.Context, d store.Date, fn func(store.Tx) error) error {
	return f.Engine.Update(ctx, d, func(t store.Tx) error { return fn(fussyTx{t}) })
}

type fussyTx struct{ store.Tx }

func (f fussyTx) Exec(query string, args [][]any) ([]int64, error) {
	for _, row := range args {
		if slices.Contains(row, any(disliked)) {
			return nil, errors.New("a name that is not liked")
		}
	}
	return f.Tx.Exec(query, args)
}
