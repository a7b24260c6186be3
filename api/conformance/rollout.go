package conformance

import (
	"net/http"
	"slices"
)

func rolloutCases() []Case {
	cases := []Case{
		fact("§4", "a build goes through the published states", func(t *T) {
			d := t.create(nil)
			status, seen := d.await(d.push(t.target.App, nil))
			t.check(status == "DEPLOYED", "DEPLOYED", status)
			order := []string{"CREATING", "QUEUED", "AWAITING_BUILD", "BUILDING", "AWAITING_DEPLOY", "DEPLOYING", "DEPLOYED"}
			last := -1
			for _, s := range seen {
				at := slices.Index(order, s)
				t.check(at > last, "states in the order "+show(order), seen)
				last = at
			}
		}),
		fact("§3", "what is deployed has its address in url and custom_url", func(t *T) {
			d, r := t.serving()
			a := d.get().has("active_revision_id", r).has("latest_revision_id", r).has("latest_revision_status", "DEPLOYED")
			a.matches("url", "^https?://").has("source_config.custom_url", a.value("url"))
		}),
		fact("§4", "DEPLOYED means that GET /ok answers", func(t *T) {
			d, _ := t.serving()
			t.get(d.get().text("url") + "/ok").is(http.StatusOK)
		}),
		fact("§6", "what an agent says can be read", func(t *T) {
			d, r := t.serving()
			path := "/v1/projects/" + d.id + "/deploy_logs"
			t.until("lines of the agent", func() (string, bool) {
				a := t.post(path, object{}).is(http.StatusOK)
				return a.String(), len(a.list("logs")) > 0
			})
			id := t.post(path, object{"order": "asc", "limit": 1}).text("logs.0.id")
			of := t.post("/v1/projects/"+d.id+"/revisions/"+r+"/deploy_logs", object{"order": "asc", "limit": 1}).text("logs.0.id")
			t.check(id == of, "the line under its revision too", of)
		}),
		fact("§4", "a failed revision leaves the old one serving", func(t *T) {
			d := t.servingOwn()
			active := d.get().text("active_revision_id")
			status, _ := d.await(d.push(brokenSource, nil))
			t.check(status == "BUILD_FAILED", "BUILD_FAILED", status)
			a := d.get().has("active_revision_id", active).has("latest_revision_status", "BUILD_FAILED").has("status", "READY")
			t.get(a.text("url") + "/ok").is(http.StatusOK)
		}),
		choice("§4", "redeploy copies what was built, without a build", func(t *T) {
			d := t.servingOwn()
			old := d.latest()
			now := t.call(http.MethodPost, d.revision(old)+"/redeploy").is(http.StatusOK).text("latest_revision_id")
			status, seen := d.await(now)
			t.check(status == "DEPLOYED" && !slices.Contains(seen, "BUILDING"), "DEPLOYED without BUILDING", seen)
			d.get().has("active_revision_id", now)
			t.check(d.status(old) == "DEPLOYED", "the old one still DEPLOYED", d.status(old))
		}),
		fact("§3", "deleting ends what serves", func(t *T) {
			d := t.servingOwn()
			address := d.get().text("url")
			t.delete(d.path()).is(http.StatusNoContent)
			t.awaitGone(d)
			a := t.get(address + "/ok")
			t.check(a.status != http.StatusOK, "no agent at its address", a.String())
		}),
	}
	for i := range cases {
		cases[i] = cases[i].with(app)
	}
	return cases
}

// servingOwn makes a deployment that serves the app, for one case alone.
func (t *T) servingOwn() *deployment {
	t.serving() // a build that fails is said once, there
	d := t.create(nil)
	if status, _ := d.await(d.push(t.target.App, nil)); status != "DEPLOYED" {
		t.stop("DEPLOYED", status)
	}
	return d
}
