package conformance

import (
	"fmt"
	"net/http"
	"slices"
)

func listCases() []Case {
	return []Case{
		fact("§1", "a list is resources and the offset to send next", func(t *T) {
			t.create(nil)
			a := t.get("/v2/deployments?limit=1").is(http.StatusOK).has("offset", 1)
			t.check(len(a.list("resources")) == 1, "one resource", a.String())
		}),
		fact("§1", "pages follow each other", pages),
		fact("§1", "a page past the end is empty", func(t *T) {
			d := t.create(nil)
			a := t.get("/v2/deployments?offset=5&name_contains="+d.name).is(http.StatusOK).has("resources", []any{})
			t.check(a.value("offset") == 5.0 || a.value("offset") == 0.0, "an offset that is a number", a.value("offset"))
		}),
		fact("§1", "an empty list is [], not null", func(t *T) {
			t.get("/v2/deployments?name_contains="+t.name()).is(http.StatusOK).has("resources", []any{})
		}),
		observed("§1", "the newest comes first", func(t *T) {
			one, two := t.family()
			t.check(slices.Equal(t.listed("name_contains="+t.prefix), []any{two.id, one.id}), "the newest first", t.listed("name_contains="+t.prefix))
		}),
		fact("§2", "name is exact", func(t *T) {
			one, _ := t.family()
			t.check(slices.Equal(t.listed("limit=100&name="+one.name), []any{one.id}), "just "+one.name, t.listed("name="+one.name))
		}),
		fact("§2", "name may come with name_contains", func(t *T) {
			one, _ := t.family()
			found := t.listed("limit=100&name=" + one.name + "&name_contains=" + one.name)
			t.check(slices.Contains(found, any(one.id)), "a page with "+one.name, found)
		}),
		choice("§2", "of name_contains the exact match comes first", func(t *T) {
			one, two := t.family()
			found := t.listed("name_contains=" + one.name)
			t.check(slices.Equal(found, []any{one.id, two.id}), "the exact match first", found)
		}),
		fact("§2", "an empty name_contains is no filter", func(t *T) {
			d := t.create(nil)
			found := t.listed("limit=100&name_contains=")
			t.check(slices.Contains(found, any(d.id)), "a page with "+d.id, found)
		}),
		fact("§2", "status filters", func(t *T) {
			d := t.ready()
			t.check(len(t.listed("status=READY&name="+d.name)) == 1, "it is listed as READY", "not found")
			t.check(len(t.listed("status=UNUSED&name="+d.name)) == 0, "it is not listed as UNUSED", "found")
		}),
		fact("§2", "deployment_ids filters", func(t *T) {
			one, two := t.family()
			t.check(len(t.listed("deployment_ids="+one.id+","+two.id)) == 2, "both", t.listed("deployment_ids="+one.id+","+two.id))
			t.check(slices.Equal(t.listed("deployment_ids="+one.id), []any{one.id}), "just one", t.listed("deployment_ids="+one.id))
		}),
		fact("§2", "deployment_type filters", func(t *T) {
			d := t.create(object{"source_config": object{"deployment_type": "dev"}})
			t.check(len(t.listed("deployment_type=dev&name="+d.name)) == 1, "it is listed as dev", "not found")
			t.check(len(t.listed("deployment_type=prod&name="+d.name)) == 0, "it is not listed as prod", "found")
		}),
		fact("§2", "the other published filters are taken", func(t *T) {
			for _, q := range []string{"remote_reconciled=true", "tag_value_ids=" + nobody, "image_version=0.1.0"} {
				t.get("/v2/deployments?limit=1&" + q).is(http.StatusOK).list("resources")
			}
		}),
		choice("§2", "name filters leave out what is being deleted", func(t *T) {
			d, _ := t.busy()
			t.delete(d.path()).is(http.StatusNoContent)
			found := append(t.listed("name="+d.name), t.listed("name_contains="+d.name)...)
			t.check(len(found) == 0, "no deployment that is being deleted", found)
		}),
		fact("§2", "agent filters are refused", func(t *T) {
			for _, q := range []string{"agent_id=a", "agent_environment=production"} {
				t.get("/v2/deployments?"+q).is(http.StatusBadRequest).has("detail", "Agent filters are not available for this tenant.")
			}
		}),
		fact("§2", "the count of free deployments is a number", func(t *T) {
			a := t.get("/v2/deployments/free-count").is(http.StatusOK)
			_, ok := a.value("count").(float64)
			t.check(ok, `{"count": <number>}`, a.String())
		}),
		fact("§4", "revisions are listed in pages, newest first", revisionPages),
		fact("§4", "status filters revisions", func(t *T) {
			d, r := t.failedBuild()
			t.check(slices.Equal(d.revisions("?status=BUILD_FAILED").under("resources", "id"), []any{r}), "the failed revision", d.revisions("").String())
			d.revisions("?status=DEPLOYED").has("resources", []any{})
		}),
	}
}

// family makes two deployments; the name of the newer contains that of the
// older.
func (t *T) family() (one, two *deployment) {
	one = t.create(nil)
	return one, t.createFrom(internal(one.name + "-two"))
}

// listed are the ids that a list shows.
func (t *T) listed(query string) []any {
	return t.get("/v2/deployments?"+query).is(http.StatusOK).under("resources", "id")
}

// ready makes a deployment and waits for its database.
func (t *T) ready() *deployment {
	d := t.create(nil)
	t.until("status READY", func() (string, bool) {
		status := d.get().text("status")
		return status, status == "READY"
	})
	return d
}

func pages(t *T) {
	base := t.name()
	var want []any
	for i := range 3 {
		want = append([]any{t.createFrom(internal(fmt.Sprintf("%s-%d", base, i))).id}, want...)
	}
	var seen []any
	offset := 0
	for _, size := range []int{2, 1} {
		a := t.get(fmt.Sprintf("/v2/deployments?limit=2&offset=%d&name_contains=%s", offset, base)).is(http.StatusOK)
		page := a.under("resources", "id")
		t.check(len(page) == size, fmt.Sprintf("%d resources at offset %d", size, offset), a.String())
		a.has("offset", offset+size)
		seen, offset = append(seen, page...), offset+size
	}
	t.check(slices.Equal(seen, want), "each of "+show(want)+" once", seen)
}

func revisionPages(t *T) {
	d := t.createImage(nil)
	ids := []any{d.made.text("latest_revision_id")}
	for range 2 {
		a := d.patch(object{"source_revision_config": object{"image_uri": t.target.Image}}).is(http.StatusOK)
		ids = append([]any{a.text("latest_revision_id")}, ids...)
	}
	a := d.revisions("?limit=2").has("offset", 2)
	t.check(slices.Equal(a.under("resources", "id"), ids[:2]), show(ids[:2]), a.under("resources", "id"))
	a = d.revisions("?limit=2&offset=2").has("offset", 3)
	t.check(slices.Equal(a.under("resources", "id"), ids[2:]), show(ids[2:]), a.under("resources", "id"))
}
