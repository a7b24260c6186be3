package slipway_test

import (
	"context"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

func TestTag(t *testing.T) {
	d := slipway.Deployment{ID: "d", Name: "app", DisplayName: "App", Secrets: "s", Config: slipway.SourceConfig{BuildOnPush: new(true)}}
	for name, edit := range map[string]func(*slipway.Deployment){
		"display name":    func(d *slipway.Deployment) { d.DisplayName = "Other" },
		"config":          func(d *slipway.Deployment) { d.Config.CustomURL = "https://app.test" },
		"build on push":   func(d *slipway.Deployment) { d.Config.BuildOnPush = new(false) },
		"revision config": func(d *slipway.Deployment) { d.RevisionConfig.ImageURI = "image" },
		"secrets":         func(d *slipway.Deployment) { d.Secrets = "t" },
	} {
		changed := d
		edit(&changed)
		if changed.Tag() == d.Tag() {
			t.Errorf("another %s is the same tag", name)
		}
	}
	same := d
	same.Status, same.Health, same.Latest, same.Active = slipway.Ready, slipway.Health{State: slipway.Healthy}, "r", "r"
	same.Generation, same.Version, same.UpdatedAt, same.RevisionConfig.CommitSHA = 7, 8, time.Now(), "c0ffee"
	same.Config.BuildOnPush = new(true)
	if same.Tag() != d.Tag() {
		t.Error("what clients do not set changes the tag")
	}
}

func TestCheckTag(t *testing.T) {
	d := slipway.Deployment{ID: "d"}
	for _, c := range []struct {
		name string
		ctx  context.Context
		want slipway.Code
	}{
		{"no condition", t.Context(), ""},
		{"the tag", slipway.WithTags(t.Context(), []string{"x", d.Tag()}), ""},
		{"another tag", slipway.WithTags(t.Context(), []string{"x"}), slipway.CodeStale},
		{"no tag at all", slipway.WithTags(t.Context(), []string{}), slipway.CodeStale},
	} {
		if got := slipway.CodeOf(slipway.CheckTag(c.ctx, d)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
