package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api/wire"
)

func TestUnsetPrintsNull(t *testing.T) {
	d := wire.Deployment{Secrets: []wire.Secret{}}
	d.SourceConfig.ResourceSpec = &wire.ResourceSpecOutput{VolumeMounts: &[]wire.VolumeMount{{}}}
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"latest_revision_id":null`, `"image_version":null`, `"custom_url":null`, `"repo_ref":null`,
		`"health":null`, `"secrets":[]`, `"secret_references":null`, `"core_cpu":null`, `"subPath":null`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is missing from %s", want, raw)
		}
	}
}

func TestPatchTellsEmptyFromAbsent(t *testing.T) {
	for body, want := range map[string]string{`{}`: "nil", `{"secrets":null}`: "nil", `{"secrets":[]}`: "empty"} {
		var patch wire.DeploymentPatchRequest
		if err := json.Unmarshal([]byte(body), &patch); err != nil {
			t.Fatal(err)
		}
		got := "nil"
		if patch.Secrets != nil && len(*patch.Secrets) == 0 {
			got = "empty"
		}
		if got != want {
			t.Errorf("%s: secrets are %s, want %s", body, got, want)
		}
	}
}
