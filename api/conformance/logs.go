package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func logCases() []Case { return slices.Concat(logLines(), logFilters(), logRoutes(), logsByGET()) }

func logLines() []Case {
	return []Case{
		fact("§6", "a build log is lines and the offset to go on from", func(t *T) {
			a := t.buildLog(object{})
			t.check(len(a.list("logs")) > 0, "lines of a build that failed", a.String())
			for _, l := range a.list("logs") {
				id, isText := lookupText(l, "id")
				t.check(isText && id != "", "an id that is a text", l)
				_, isText = lookupText(l, "message")
				t.check(isText, "a message", l)
				level, _ := lookupText(l, "level")
				t.check(slices.Contains(levels, level), "a level of "+strings.Join(levels, ", "), l)
			}
			t.check(a.text("next_offset") != "", "a next_offset that is a text", a.String())
		}),
		fact("§6", "ids are unique, and stay", func(t *T) {
			one, two := t.buildLog(object{}).under("logs", "id"), t.buildLog(object{}).under("logs", "id")
			t.check(slices.Equal(one, two), "the same ids again: "+show(one), two)
			seen := map[any]bool{}
			for _, id := range one {
				t.check(!seen[id], "an id once", id)
				seen[id] = true
			}
		}),
		fact("§6", "next_offset points past the last line, and is never empty", func(t *T) {
			a := t.buildLog(object{"limit": 1})
			b := t.buildLog(object{"limit": 1000, "offset": a.text("next_offset")})
			t.check(!slices.Contains(b.under("logs", "id"), a.value("logs.0.id")), "no line twice", b.String())
			c := t.buildLog(object{"offset": b.text("next_offset")}).has("logs", []any{})
			c.text("next_offset")
			t.buildLog(object{"offset": c.text("next_offset")}).has("logs", []any{}).text("next_offset")
		}),
		fact("§6", "an empty log has a next_offset too", func(t *T) {
			d := t.create(nil)
			t.post("/v1/projects/"+d.id+"/deploy_logs", object{}).is(http.StatusOK).has("logs", []any{}).text("next_offset")
		}),
	}
}

func logFilters() []Case {
	return []Case{
		fact("§6", "order turns", func(t *T) {
			up, down := t.buildLog(object{"order": "asc"}).under("logs", "id"), t.buildLog(object{"order": "desc"}).under("logs", "id")
			slices.Reverse(down)
			t.check(slices.Equal(up, down), "desc as asc reversed: "+show(up), down)
		}),
		fact("§6", "start_time is inclusive and takes our timestamps back", func(t *T) {
			all := t.buildLog(object{"order": "asc"})
			lines := all.list("logs")
			last := lines[len(lines)-1].(object)
			found := t.buildLog(object{"order": "asc", "start_time": isoTime(last["timestamp"])}).under("logs", "id")
			t.check(slices.Contains(found, last["id"]), "the line of that time, "+show(last["id"]), found)
		}),
		fact("§6", "end_time bounds", func(t *T) {
			t.buildLog(object{"end_time": "2001-01-01T00:00:00Z"}).has("logs", []any{})
		}),
		fact("§6", "level is exact", func(t *T) {
			all, some := t.buildLog(object{}), 0
			for _, level := range levels {
				found := t.buildLog(object{"level": level})
				for _, l := range found.under("logs", "level") {
					t.check(l == level, "lines of "+level+" only", l)
					some++
				}
			}
			t.check(some == len(all.list("logs")), fmt.Sprintf("each of %d lines under its level", len(all.list("logs"))), some)
		}),
		fact("§6", "query searches", func(t *T) {
			word := strings.Fields(t.buildLog(object{}).text("logs.0.message"))[0]
			a := t.buildLog(object{"query": word})
			t.check(len(a.list("logs")) > 0, "lines with "+word, a.String())
			for _, m := range a.under("logs", "message") {
				t.check(strings.Contains(fmt.Sprint(m), word), "lines with "+word+" only", m)
			}
			t.buildLog(object{"query": "no line says this " + t.name()}).has("logs", []any{})
		}),
		fact("§6", "limit is clamped, not refused", func(t *T) {
			t.buildLog(object{"limit": 1000000})
			t.buildLog(object{"limit": 0})
			a := t.buildLog(object{"limit": 1})
			t.check(len(a.list("logs")) == 1, "one line", a.String())
		}),
	}
}

func logRoutes() []Case {
	return []Case{
		fact("§6", "explicit nulls are taken", func(t *T) {
			t.buildLog(object{"limit": nil, "order": nil, "offset": nil, "level": nil, "query": nil, "start_time": nil, "end_time": nil})
		}),
		fact("§6", "deploy logs answer alike", func(t *T) {
			d, r := t.failedBuild()
			for _, path := range []string{"/v1/projects/" + d.id + "/deploy_logs", "/v1/projects/" + d.id + "/revisions/" + r + "/deploy_logs"} {
				t.post(path, object{"limit": 5, "order": "desc"}).is(http.StatusOK).holds("logs").text("next_offset")
			}
		}),
		fact("§6", "what does not exist is 404", func(t *T) {
			d := t.create(nil)
			for _, path := range []string{
				"/v1/projects/" + nobody + "/deploy_logs", "/v1/projects/" + d.id + "/revisions/" + nobody + "/build_logs",
				"/v1/projects/" + d.id + "/revisions/" + nobody + "/deploy_logs",
			} {
				t.post(path, object{}).is(http.StatusNotFound).says()
			}
		}),
	}
}

func logsByGET() []Case {
	return []Case{
		fact("§2", "a revision's logs are read by GET too", getLogs),
		fact("§2", "that wants a type", func(t *T) {
			d, r := t.failedBuild()
			t.get(d.revision(r)+"/logs").is(http.StatusUnprocessableEntity).has("detail.0.type", "missing").has("detail.0.loc", []any{"query", "type"})
			for _, q := range []string{"type=other", "type=build&order=up"} {
				t.get(d.revision(r) + "/logs?" + q).is(http.StatusUnprocessableEntity)
			}
			t.get(d.revision(r)+"/logs?type=build&limit=1001").is(http.StatusOK, http.StatusUnprocessableEntity) // clamped or refused
		}),
		fact("§2", "a deployment's logs are read by GET too", deploymentLogs),
		fact("§2", "that wants a deployment", func(t *T) {
			t.get("/v2/deployment-logs").is(http.StatusUnprocessableEntity).has("detail.0.type", "missing").has("detail.0.loc", []any{"query", "deployment_id"})
			t.get("/v2/deployment-logs?deployment_id=" + nobody).is(http.StatusNotFound)
			t.get("/v2/deployment-logs?deployment_id=nonsense").is(http.StatusUnprocessableEntity)
		}),
	}
}

var levels = []string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}

func lookupText(v any, path string) (string, bool) {
	found, _ := lookup(v, path)
	text, ok := found.(string)
	return text, ok
}

// buildLog asks for the log of a build that failed.
func (t *T) buildLog(body object) *answer {
	d, r := t.failedBuild()
	return t.post("/v1/projects/"+d.id+"/revisions/"+r+"/build_logs", body).is(http.StatusOK)
}

func getLogs(t *T) {
	d, r := t.failedBuild()
	all := t.buildLog(object{"order": "asc"}).under("logs", "message")
	a := t.get(d.revision(r) + "/logs?type=build").is(http.StatusOK)
	t.check(slices.Equal(a.under("logs", "message"), all), "the lines that POST shows: "+show(all), a.under("logs", "message"))
	one := t.get(d.revision(r) + "/logs?type=build&limit=1").is(http.StatusOK)
	rest := t.get(d.revision(r) + "/logs?type=build&offset=" + url.QueryEscape(one.text("next_offset"))).is(http.StatusOK)
	t.check(len(rest.list("logs")) == len(all)-1, "the lines after the first", rest.String())
	down := t.get(d.revision(r)+"/logs?type=build&order=desc").is(http.StatusOK).under("logs", "message")
	slices.Reverse(down)
	t.check(slices.Equal(down, all), "desc as asc reversed", down)
	t.get(d.revision(r)+"/logs?type=deploy").is(http.StatusOK).has("logs", []any{}).text("next_offset")
}

func deploymentLogs(t *T) {
	d, r := t.failedBuild()
	all := t.buildLog(object{"order": "asc"}).under("logs", "message")
	base := "/v2/deployment-logs?log_type=BUILD&deployment_id=" + d.id
	a := t.get(base + "&revision_id=" + r + "&page_size=100").is(http.StatusOK).holds("next_cursor")
	t.check(slices.Equal(a.under("items", "message"), all), "the lines that POST shows: "+show(all), a.under("items", "message"))
	one := t.get(base + "&page_size=1").is(http.StatusOK)
	t.check(len(one.list("items")) == 1, "one line", one.String())
	if len(all) > 1 {
		rest := t.get(base + "&cursor=" + url.QueryEscape(one.text("next_cursor"))).is(http.StatusOK)
		t.check(slices.Equal(rest.under("items", "message"), all[1:]), "the lines after the first", rest.under("items", "message"))
	}
	t.get("/v2/deployment-logs?deployment_id="+d.id).is(http.StatusOK).has("items", []any{})
}
