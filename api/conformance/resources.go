package conformance

import (
	"fmt"
	"net/http"
)

func resourceCases() []Case {
	return []Case{
		fact("§3", "the spec that is answered is the one read again", func(t *T) {
			d := t.createImage(object{"source_config": t.placed(object{"resource_spec": object{"cpu": 1, "memory_mb": 1024}})})
			d.get().has("source_config.resource_spec", d.made.value("source_config.resource_spec"))
		}),
		fact("§3", "limits default to twice the request", func(t *T) {
			d := t.withResources(object{"cpu": 1.5, "memory_mb": 1000})
			d.get().has("source_config.resource_spec.cpu", 1.5).has("source_config.resource_spec.cpu_limit", 3).
				has("source_config.resource_spec.memory_mb", 1000).has("source_config.resource_spec.memory_limit_mb", 2000)
		}),
		fact("§3", "a limit that is given stays", func(t *T) {
			d := t.withResources(object{"cpu": 1, "cpu_limit": 1.5, "memory_mb": 1000, "memory_limit_mb": 1200})
			d.get().has("source_config.resource_spec.cpu_limit", 1.5).has("source_config.resource_spec.memory_limit_mb", 1200)
		}),
		fact("§3", "the limit of Redis' memory defaults to its request", func(t *T) {
			d := t.withResources(object{"redis_memory_mb": 512, "redis_cpu": 1})
			d.get().has("source_config.resource_spec.redis_memory_limit_mb", 512).has("source_config.resource_spec.redis_cpu_limit", 2)
		}),
		fact("§3", "cpu rounds to tenths", func(t *T) {
			d := t.withResources(object{"cpu": 1.26})
			d.get().has("source_config.resource_spec.cpu", 1.3)
		}),
		fact("§3", "members that are unset print null", func(t *T) {
			d := t.withResources(object{"cpu": 1})
			d.get().holds("source_config.resource_spec.min_scale", "source_config.resource_spec.labels", "source_config.resource_spec.volumes",
				"source_config.resource_spec.db_cpu", "source_config.resource_spec.service_account_name")
		}),
		fact("§3", "a spec is replaced whole", func(t *T) {
			d := t.withResources(object{"cpu": 1.7, "min_scale": 2, "labels": object{"a": "b"}})
			d.patch(object{"source_config": object{"resource_spec": object{"memory_mb": 2048}}}).is(http.StatusOK)
			a := d.get().has("source_config.resource_spec.memory_mb", 2048)
			t.check(a.value("source_config.resource_spec.cpu") != 1.7, "no cpu of the earlier spec", a.value("source_config.resource_spec.cpu"))
			t.check(a.value("source_config.resource_spec.min_scale") != 2.0, "no min_scale of the earlier spec", a.value("source_config.resource_spec.min_scale"))
			a.has("source_config.resource_spec.labels", nil)
		}),
		observed("§2", "the newer members are kept", func(t *T) {
			d := t.withResources(object{"core_cpu": 1, "core_memory_mb": 512})
			d.get().has("source_config.resource_spec.core_cpu", 1).has("source_config.resource_spec.core_memory_mb", 512)
		}),
		fact("§3", "cpu has bounds", func(t *T) {
			for _, c := range []struct {
				field string
				value float64
				kind  string
			}{{"cpu", 0.01, "greater_than_equal"}, {"cpu", 8.5, "less_than_equal"}, {"cpu_limit", 16.5, "less_than_equal"}, {"redis_cpu", 9, "less_than_equal"}} {
				body := with(internal(t.name()), object{"source_config": object{"resource_spec": object{c.field: c.value}}})
				t.post("/v2/deployments", body).is(http.StatusUnprocessableEntity).has("detail.0.type", c.kind).
					has("detail.0.loc", []any{"body", "source_config", "resource_spec", c.field}).has("detail.0.input", c.value)
			}
		}),
		observed("§3", "a limit below its request is refused", func(t *T) {
			for _, spec := range []object{{"cpu": 2, "cpu_limit": 1}, {"memory_mb": 2048, "memory_limit_mb": 1024}, {"min_scale": 3, "max_scale": 2}} {
				t.last = "POST /v2/deployments " + fmt.Sprint(spec)
				t.post("/v2/deployments", with(internal(t.name()), object{"source_config": object{"resource_spec": spec}})).refused()
			}
		}),
	}
}

// withResources makes a deployment with a spec.
func (t *T) withResources(spec object) *deployment {
	return t.create(object{"source_config": object{"resource_spec": spec}})
}

// placed is a configuration for an image, on a listener where there is one.
func (t *T) placed(config object) object {
	return with(t.image(nil)["source_config"].(object), config)
}
