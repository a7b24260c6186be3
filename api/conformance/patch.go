package conformance

import (
	"net/http"
	"slices"
)

func patchCases() []Case { return slices.Concat(patchMerges(), patchFixed(), patchSources()) }

func patchMerges() []Case {
	return []Case{
		fact("§3", "a change that concerns what runs makes a revision", revising),
		fact("§3", "any other change makes none", func(t *T) {
			d := t.createImage(nil)
			for _, body := range []object{
				{},
				{"display_name": "a"},
				{"source_config": object{"build_on_push": true}},
				{"source_config": object{"custom_url": "https://agent.example.com"}},
				{"source_config": object{}, "source_revision_config": object{}},
				{"secrets": []any{}},
				{"secrets": nil, "secret_references": nil, "source_config": nil, "source_revision_config": nil},
				{"source_config": object{"resource_spec": nil}, "source_revision_config": object{"image_uri": nil}},
			} {
				before := d.latest()
				d.patch(body).is(http.StatusOK).has("latest_revision_id", before)
				t.check(d.count() == 1, "one revision after "+show(body), d.count())
			}
		}),
		fact("§3", "nulls never clear", func(t *T) {
			d := t.create(object{"source_config": object{"deployment_type": "dev", "custom_url": "https://agent.example.com", "build_command": "true"}})
			d.patch(object{"source_config": object{"deployment_type": nil, "custom_url": nil, "build_command": nil}}).is(http.StatusOK)
			d.get().has("source_config.deployment_type", "dev").has("source_config.custom_url", "https://agent.example.com").has("source_config.build_command", "true")
		}),
		choice("§3", "a changed command makes a revision, the same one none", func(t *T) {
			d := t.createImage(nil)
			for i, command := range []string{"true", "true", "false"} {
				d.patch(object{"source_config": object{"install_command": command}}).is(http.StatusOK)
				want := []int{2, 2, 3}[i]
				t.check(d.count() == want, "the number of revisions after "+command+": "+show(want), d.count())
			}
		}),
		fact("§3", "the new revision is there, first, when PATCH answers", func(t *T) {
			d := t.createImage(nil)
			before := d.made.text("latest_revision_id")
			a := d.patch(object{"secrets": pairs("ONE")}).is(http.StatusOK).matches("tenant_id", idPattern)
			now := a.text("latest_revision_id")
			t.check(now != before, "a new latest_revision_id", now)
			d.revisions("?limit=1").has("resources.0.id", now)
		}),
		fact("§2", "tracked_packages may come along", func(t *T) {
			d := t.createImage(nil)
			d.patch(object{"tracked_packages": []any{"langgraph"}, "source_revision_config": object{"image_uri": t.target.Image}}).is(http.StatusOK)
		}),
	}
}

func patchFixed() []Case {
	return []Case{
		fact("§3", "name and source do not change", func(t *T) {
			d := t.create(nil)
			for _, body := range []object{{"name": t.name()}, {"source": "external_docker"}} {
				if a := d.patch(body); a.status != http.StatusOK {
					a.refused()
				}
			}
			d.get().has("name", d.name).has("source", "internal_source")
		}),
		fact("§3", "deployment_type does not change", func(t *T) {
			d := t.create(object{"source_config": object{"deployment_type": "dev"}})
			d.patch(object{"source_config": object{"deployment_type": "prod"}}).is(http.StatusBadRequest).says("deployment_type")
			d.get().has("source_config.deployment_type", "dev")
		}),
		choice("§3", "the same value of what is fixed is no change", func(t *T) {
			d := t.create(object{"source_config": object{"deployment_type": "dev"}})
			d.patch(object{"source_config": object{"deployment_type": "dev"}}).is(http.StatusOK)
		}),
		fact("§3", "integration_id and repo_url do not change", func(t *T) {
			d := t.create(nil)
			d.patch(object{"source_config": object{"integration_id": nobody}}).is(http.StatusBadRequest).says("integration_id")
			d.patch(object{"source_config": object{"repo_url": "https://github.com/a/b"}}).is(http.StatusBadRequest).says("repo_url")
		}),
		fact("§3", "listener_id and k8s_namespace do not change", func(t *T) {
			d := t.create(nil)
			d.patch(object{"source_config": object{"listener_id": nobody}}).is(http.StatusBadRequest).says("listener_id")
			d.patch(object{"source_config": object{"listener_config": object{"k8s_namespace": "other"}}}).is(http.StatusBadRequest).says("k8s_namespace")
		}),
	}
}

func patchSources() []Case {
	return []Case{
		fact("§3", "a first PATCH may name the other internal source", func(t *T) {
			d := t.create(object{"source": "internal_docker"})
			r := d.push(brokenSource, nil)
			t.get(d.revision(r)).is(http.StatusOK).has("source", "internal_source")
		}),
		fact("§3", "a revision needs something to be made of", func(t *T) {
			d := t.create(nil)
			d.patch(object{"revision_source": "internal_source", "source_revision_config": object{"langgraph_config_path": "langgraph.json"}}).
				is(http.StatusBadRequest).says("source_tarball_path")
			d.patch(object{"revision_source": "internal_docker", "source_revision_config": object{"langgraph_config_path": "langgraph.json"}}).
				is(http.StatusBadRequest).says("image_uri")
			d.revisions("").has("resources", []any{})
		}),
		observed("§3", "a source of another kind is refused", func(t *T) {
			t.create(nil).patch(object{"revision_source": "github", "source_revision_config": object{"repo_ref": "main"}}).is(http.StatusBadRequest).says()
		}),
		fact("§2", "an unknown deployment is 404", func(t *T) {
			t.patch("/v2/deployments/"+nobody, object{}).is(http.StatusNotFound).has("detail", "Deployment ID "+nobody+" not found.")
		}),
		observed("§5", "langgraph_config_path stays within the source", func(t *T) {
			d := t.create(nil)
			object := object{"source_revision_config": object{"source_tarball_path": d.upload(brokenSource), "langgraph_config_path": "../../etc/passwd"}}
			d.patch(object).refused()
		}),
	}
}

// revising has every field that makes a revision.
func revising(t *T) {
	d := t.createImage(nil)
	for i, body := range []object{
		{"source_revision_config": object{"image_uri": t.target.Image}},
		{"source_config": object{"resource_spec": object{"cpu": 1}}},
		{"secrets": pairs("ONE")},
		{"secret_references": []any{object{"name": "A", "secret_name": "s", "secret_key": "k"}}},
		{"secret_references": []any{}},
	} {
		d.patch(body).is(http.StatusOK)
		t.check(d.count() == i+2, "one more revision after "+show(body), d.count())
	}
}
