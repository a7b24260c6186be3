package main

import (
	"strings"
	"testing"
	"time"
)

func TestMarkdown(t *testing.T) {
	r := spread("start", samples{2 * time.Millisecond, 1 * time.Millisecond, 30 * time.Millisecond}).
		with(atMost(2, 3, "3 ms")).against("%d × bare", 2)
	r.measure = "deploy"
	var text strings.Builder
	if err := writeMarkdown(&text, []row{r, single("size", "1 MB")}); err != nil {
		t.Fatal(err)
	}
	want := `| measure | what | median | min | max | goal | peer |
| --- | --- | --: | --: | --: | --- | --- |
| deploy | start (n = 3) | 2.0 ms | 1.0 ms | 30.0 ms | ≤ 3 ms: met | 2 × bare |
|  | size | 1 MB |  |  |  |  |
`
	if text.String() != want {
		t.Errorf("got\n%s", text.String())
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal goal
		want string
	}{
		{goal{}, ""},
		{atMost(1, 1, "1 s"), "≤ 1 s: met"},
		{atMost(2, 1, "1 s"), "≤ 1 s: missed"},
		{atLeast(1, 1, "1 /s"), "≥ 1 /s: met"},
		{atLeast(0, 1, "1 /s"), "≥ 1 /s: missed"},
	} {
		if got := c.goal.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestMillis(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234 * time.Microsecond: "1.2 ms", -1234 * time.Microsecond: "-1.2 ms",
		123456 * time.Microsecond: "123 ms", 12 * time.Second: "12.0 s",
	} {
		if got := millis(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func TestChoose(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(measures) {
		t.Errorf("all: %d, %v", len(all), err)
	}
	some, err := choose("binary,thousand")
	if err != nil || len(some) != 2 || some[0].name != "thousand" {
		t.Errorf("two: %v, %v", some, err)
	}
	if _, err := choose("binary,nothing"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("unknown: %v", err)
	}
}
