package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"

	client "github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway"
)

const (
	// marks is a hash in number 0 that says of numbers whose they are.
	marks = "slipway:numbers"
	// mark is the key in a number that says it, too.
	mark = "slipway:deployment"
)

// label is what marks a number.
func (s *Shared) label(d slipway.DeploymentID) string { return s.config.Owner + "/" + string(d) }

// holder is the label of a number, "" if it has none.
func holder(ctx context.Context, c *client.Conn, number int) (label string, err error) {
	if err := c.Select(ctx, 0).Err(); err != nil {
		return "", err
	}
	label, err = c.HGet(ctx, marks, strconv.Itoa(number)).Result()
	if !errors.Is(err, client.Nil) {
		return label, err
	}
	return markedInside(ctx, c, number)
}

// markedInside is the label that is in a number, "" for none. A stranger's key of
// that name may be anything but a text.
func markedInside(ctx context.Context, c *client.Conn, number int) (label string, err error) {
	if err := c.Select(ctx, number).Err(); err != nil {
		return "", err
	}
	label, err = c.Get(ctx, mark).Result()
	if errors.Is(err, client.Nil) || err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE") {
		err = nil
	}
	return label, err
}

// mark has a number be marked in both places, unless another was faster, and
// returns whose it is then. The number is selected afterwards.
func (s *Shared) mark(ctx context.Context, c *client.Conn, d slipway.DeploymentID, number int) (whose string, err error) {
	if err := c.Select(ctx, 0).Err(); err != nil {
		return "", err
	}
	if err := c.HSetNX(ctx, marks, strconv.Itoa(number), s.label(d)).Err(); err != nil {
		return "", err
	}
	whose, err = c.HGet(ctx, marks, strconv.Itoa(number)).Result()
	if err != nil || whose != s.label(d) {
		return whose, err
	}
	if err := c.Select(ctx, number).Err(); err != nil {
		return "", err
	}
	return whose, c.SetNX(ctx, mark, whose, 0).Err()
}

// unmark takes the mark off a number that is empty.
func unmark(ctx context.Context, c *client.Conn, number int) error {
	if err := c.Select(ctx, 0).Err(); err != nil {
		return err
	}
	return c.HDel(ctx, marks, strconv.Itoa(number)).Err()
}

// allMarked are the labels of all numbers that have one. They are among those that
// are used, or what is in them was removed.
func allMarked(ctx context.Context, c *client.Conn, used []int) (map[int]string, error) {
	all := map[int]string{}
	for _, n := range used {
		label, err := markedInside(ctx, c, n)
		if err != nil {
			return nil, err
		}
		if label != "" {
			all[n] = label
		}
	}
	if err := c.Select(ctx, 0).Err(); err != nil {
		return nil, err
	}
	told, err := c.HGetAll(ctx, marks).Result()
	for number, label := range told {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			all[n] = label
		}
	}
	return all, err
}

// size is how many keys a number has, which is selected afterwards.
func size(ctx context.Context, c *client.Conn, number int) (keys int64, err error) {
	if err := c.Select(ctx, number).Err(); err != nil {
		return 0, err
	}
	return c.DBSize(ctx).Result()
}
