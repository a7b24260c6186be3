package conformance

import (
	"fmt"
	"net/http"
	"strings"
)

const idPattern = `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`

func createCases() []Case {
	return []Case{
		fact("§3", "a deployment has the published members", publishedMembers),
		observed("§2", "a deployment has the newer members", func(t *T) {
			t.create(nil).get().holds("url", "display_name", "tracer_session_id", "latest_revision_status",
				"latest_revision_status_message", "is_preview", "source_config.repo_branch", "source_config.template_id")
		}),
		fact("§3", "an internal source begins without a revision", func(t *T) {
			for _, source := range []string{"internal_source", "internal_docker"} {
				d := t.create(object{"source": source})
				d.made.has("latest_revision_id", nil).has("active_revision_id", nil)
				d.revisions("").has("resources", []any{})
			}
		}),
		fact("§3", "it becomes READY", func(t *T) { t.ready() }),
		fact("§3", "creating makes a tracing project", func(t *T) {
			t.create(nil).made.matches("tracer_session_id", idPattern)
		}),
		fact("§3", "what was made reads back the same", func(t *T) {
			d := t.create(object{"source_config": object{"deployment_type": "dev", "resource_spec": object{"cpu": 1.5}, "install_command": "true", "build_command": "true"}})
			a := d.get()
			for _, path := range []string{"source_config.resource_spec", "source_config.deployment_type", "source_config.install_command", "source_config.build_command"} {
				a.has(path, d.made.value(path))
			}
			a.has("source_config.deployment_type", "dev").has("source_config.install_command", "true")
		}),
		choice("§3", "names that clients send are taken", goodNames),
		choice("§3", "other names are refused", badNames),
		fact("§3", "a name that is taken is 409", nameTaken),
		fact("§2", "display_name is set by PATCH only", func(t *T) {
			d := t.create(object{"display_name": "ignored"})
			d.made.has("display_name", nil)
			d.patch(object{"display_name": "Shown"}).is(http.StatusOK).has("display_name", "Shown")
			d.get().has("display_name", "Shown").has("name", d.name)
		}),
		fact("§2", "an empty display_name is refused", func(t *T) { t.create(nil).patch(object{"display_name": ""}).refused() }),
		fact("§2", "a body with an agent and no name is 422", func(t *T) {
			body := internal("")
			delete(body, "name")
			body["agent"] = object{"agent_id": "a", "environment": "production"}
			t.post("/v2/deployments", body).is(http.StatusUnprocessableEntity).has("detail.0.type", "missing").has("detail.0.loc", []any{"body", "name"})
		}),
		observed("§2", "the newer deployment types are accepted", func(t *T) {
			for _, kind := range []string{"dev_zero", "dev_free_zero", "serverless"} {
				t.create(object{"source_config": object{"deployment_type": kind}})
			}
		}),
		fact("§2", "texts of 422 name the published deployment types only", func(t *T) {
			t.post("/v2/deployments", with(internal(t.name()), object{"source_config": object{"deployment_type": "no-such"}})).
				is(http.StatusUnprocessableEntity).has("detail.0.ctx.expected", "'dev_free', 'dev' or 'prod'")
		}),
		fact("§3", "source github needs an integration", func(t *T) {
			t.post("/v2/deployments", with(internal(t.name()), object{
				"source": "github", "source_config": object{"repo_url": "https://github.com/nobody/nothing", "deployment_type": "dev"},
				"source_revision_config": object{"repo_ref": "main", "langgraph_config_path": "langgraph.json"},
			})).is(http.StatusBadRequest).says("integration")
		}),
		fact("§3", "source external_docker needs image_uri", func(t *T) {
			t.post("/v2/deployments", t.image(object{"source_revision_config": object{}})).is(http.StatusBadRequest).says("image_uri")
		}),
		fact("§3", "external_docker reads back as prod, not built on push", func(t *T) {
			d := t.createImage(nil)
			for _, a := range []*answer{d.made, d.get()} {
				a.has("source_config.deployment_type", "prod").has("source_config.build_on_push", false).has("source_revision_config.image_uri", t.target.Image)
			}
		}),
		fact("§3", "external_docker answers with its first revision", func(t *T) {
			d := t.createImage(nil)
			r := d.made.matches("tenant_id", idPattern).text("latest_revision_id")
			d.revisions("").has("resources.0.id", r)
		}),
	}
}

func publishedMembers(t *T) {
	d := t.create(nil)
	for _, a := range []*answer{d.made, d.get()} {
		a.matches("id", idPattern).matches("tenant_id", idPattern).has("name", d.name).has("source", "internal_source").
			matches("created_at", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`).matches("updated_at", `^\d{4}-\d\d-\d\dT`).
			matches("status", "^(AWAITING_DATABASE|READY|UNUSED|UNKNOWN)$").has("secrets", []any{}).
			holds("source_config", "source_revision_config", "secret_references", "latest_revision_id", "active_revision_id", "image_version")
		for _, member := range []string{"integration_id", "repo_url", "deployment_type", "build_on_push", "custom_url", "resource_spec", "listener_id", "listener_config", "install_command", "build_command"} {
			a.holds("source_config." + member)
		}
		for _, member := range []string{"repo_ref", "langgraph_config_path", "image_uri", "source_tarball_path", "repo_commit_sha"} {
			a.holds("source_revision_config." + member)
		}
	}
}

func goodNames(t *T) {
	long := t.name()
	for _, name := range []string{
		t.name() + "_a", "0-" + t.name(), long + strings.Repeat("x", 63-len(long)),
	} {
		t.createFrom(internal(name)).made.has("name", name)
	}
}

func badNames(t *T) {
	for _, name := range []string{
		"", "-" + t.name(), t.name() + "-", "_" + t.name(), t.name() + "-A", t.name() + ".a", t.name() + " a", t.name() + "/a",
		t.name() + "é", t.name() + strings.Repeat("x", 64), t.name() + "\n",
	} {
		a := t.post("/v2/deployments", internal(name))
		t.check(a.status == http.StatusBadRequest || a.status == http.StatusUnprocessableEntity, fmt.Sprintf("a refusal of the name %q", name), a.String())
	}
}

func nameTaken(t *T) {
	d := t.create(nil)
	t.post("/v2/deployments", internal(d.name)).is(http.StatusConflict).says("already exists",
		"Deployments create a tracing project in LangSmith with the same name as the deployment. There already exists a project in LangSmith named: "+d.name)
}
