package slipway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
)

// Tag names what clients have set on a deployment: it changes when that does,
// and not with statuses, health or revisions. It is opaque.
func (d Deployment) Tag() string {
	d.RevisionConfig.CommitSHA = "" // found by us
	set, _ := json.Marshal(struct { // plain data: it can not fail
		DisplayName string
		Config      SourceConfig
		Revision    RevisionConfig
		Secrets     SecretSetID // sets never change: another value or reference is another set
		Protected   bool        `json:",omitempty"` // so that tags stay which were handed out before
	}{d.DisplayName, d.Config, d.RevisionConfig, d.Secrets, d.Protected})
	sum := sha256.Sum256(set)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// WithTags lets a use case change a deployment only while its tag is one of
// those.
func WithTags(ctx context.Context, tags []string) context.Context {
	return context.WithValue(ctx, wantedTags, slices.Clone(tags))
}

// CheckTag refuses a change under a context that wants another tag.
func CheckTag(ctx context.Context, d Deployment) error {
	tags, conditional := ctx.Value(wantedTags).([]string)
	if !conditional || slices.Contains(tags, d.Tag()) {
		return nil
	}
	return Errorf(CodeStale, "Deployment ID %s has been changed since it was read: its ETag is none of If-Match. Read it again, and decide anew.", d.ID)
}
