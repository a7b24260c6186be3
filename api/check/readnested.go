package check

func (r *reader) list() (value, bool) {
	v := value{kind: kindList}
	r.at++
	r.space()
	if r.next() == ']' {
		r.at++
		return v, true
	}
	for {
		item, ok := r.value()
		if !ok {
			return value{}, false
		}
		v.items = append(v.items, item)
		if done, ok := r.comma(']'); done || !ok {
			return v, ok
		}
	}
}

// comma steps over a comma, or over the end of what is being read.
func (r *reader) comma(end byte) (done, ok bool) {
	r.space()
	switch r.next() {
	case end:
		r.at++
		return true, true
	case ',':
		r.at++
		r.space()
		return false, true
	default:
		return false, r.fail("Expecting ',' delimiter", r.at)
	}
}

func (r *reader) dict() (value, bool) {
	var d dict
	r.at++
	r.space()
	if r.next() == '}' {
		r.at++
		return value{kind: kindDict}, true
	}
	for {
		if !r.member(&d) {
			return value{}, false
		}
		if done, ok := r.comma('}'); done || !ok {
			return value{kind: kindDict, members: d.members}, ok
		}
	}
}

func (r *reader) member(d *dict) bool {
	if r.next() != '"' {
		return r.fail("Expecting property name enclosed in double quotes", r.at)
	}
	key, _, ok := r.text()
	if !ok {
		return false
	}
	r.space()
	if r.next() != ':' {
		return r.fail("Expecting ':' delimiter", r.at)
	}
	r.at++
	r.space()
	val, ok := r.value()
	if ok {
		d.put(key, val)
	}
	return ok
}

// dict collects members; from some length on it keeps an index, so that many keys take no quadratic time.
type dict struct {
	members []member
	index   map[string]int
}

const indexedFrom = 24

func (d *dict) put(key string, val value) {
	if at := d.find(key); at >= 0 {
		d.members[at].val = val
		return
	}
	d.members = append(d.members, member{key, val})
	if d.index != nil {
		d.index[key] = len(d.members) - 1
	} else if len(d.members) == indexedFrom {
		d.index = make(map[string]int, 2*indexedFrom)
		for i := range d.members {
			d.index[d.members[i].key] = i
		}
	}
}

func (d *dict) find(key string) int {
	if d.index != nil {
		if at, ok := d.index[key]; ok {
			return at
		}
		return -1
	}
	for i := range d.members {
		if d.members[i].key == key {
			return i
		}
	}
	return -1
}
