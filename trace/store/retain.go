package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// oldest is the first day that is kept for its age.
func (s *Store) oldest(today Date) Date {
	if s.config.Age == 0 {
		return 0
	}
	return today - Date((s.config.Age+24*time.Hour-1)/(24*time.Hour))
}

// Retain drops the days that are older than Age and then, oldest first, what is
// more than Bytes; today's and a later one stay. It removes runs that belong to no
// project for long, and blobs that no run has, and returns the days that it has
// dropped. It is to be called now and then.
func (s *Store) Retain(ctx context.Context) ([]Day, error) {
	days, err := s.Days(ctx)
	if err != nil {
		return nil, fmt.Errorf("retain traces: %w", err)
	}
	var dropped []Day
	for _, d := range s.expired(days) {
		if err := s.drop(ctx, d); err != nil {
			return dropped, fmt.Errorf("drop the traces of %s: %w", DateOf(d.Date), err)
		}
		dropped = append(dropped, d)
	}
	if err := s.dropLoose(ctx); err != nil {
		return dropped, fmt.Errorf("remove runs of no project: %w", err)
	}
	if err := s.sweep(ctx); err != nil {
		return dropped, fmt.Errorf("remove blobs of no run: %w", err)
	}
	return dropped, nil
}

// expired chooses of days, which are oldest first.
func (s *Store) expired(days []Day) (expired []Day) {
	today := DateOf(s.config.Now())
	var all int64
	for _, d := range days {
		all += d.Bytes
	}
	for _, d := range days {
		old := DateOf(d.Date) < s.oldest(today)
		if (!old && (s.config.Bytes == 0 || all <= s.config.Bytes)) || DateOf(d.Date) >= today {
			break
		}
		expired = append(expired, d)
		all -= d.Bytes
	}
	return expired
}

const (
	// dropTries is how often it is tried to drop a day that others read, and
	// dropEvery how long they have between: they are let through.
	dropTries = 5
	dropEvery = time.Second
)

// drop removes the blobs of a day and then the day, which names them. It stops the
// writer only for blobs that came since it began, and for the day itself.
func (s *Store) drop(ctx context.Context, d Day) error {
	date := DateOf(d.Date)
	removed := map[string]bool{}
	if err := s.dropBlobs(ctx, date, removed); err != nil {
		return err
	}
	for tries := 1; ; tries++ {
		err := s.alone(ctx, func(ctx context.Context) error {
			if err := s.dropBlobs(ctx, date, removed); err != nil {
				return err
			}
			err := s.engine.Drop(ctx, date)
			s.forget(date)
			delete(s.loose, date)
			return err
		})
		if err == nil {
			s.config.Logger.Info("dropped a day of traces", slog.String("day", date.String()), slog.Int64("bytes", d.Bytes))
			return nil
		}
		if !errors.Is(err, ErrBusy) || tries == dropTries {
			return err
		}
		select {
		case <-time.After(dropEvery):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// dropBlobs removes the blobs of a day but those that are removed already.
func (s *Store) dropBlobs(ctx context.Context, d Date, removed map[string]bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	var names []string
	err := s.eachBlob(ctx, d, func(name string, _ int64) {
		if !removed[name] {
			names = append(names, name)
		}
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		err := s.deleteBlob(ctx, name)
		errs = append(errs, err)
		removed[name] = err == nil
	}
	return errors.Join(errs...)
}
