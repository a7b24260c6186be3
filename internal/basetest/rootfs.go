package basetest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// certificates is where this machine and its images keep the bundle of those
// that they trust.
const certificates = "/etc/ssl/certs/ca-certificates.crt"

// rootfs is the folder of an image's files while they are gathered.
type rootfs string

func (r rootfs) at(path string) string { return filepath.Join(string(r), path) }

// lay makes what every base has: a shell with the usual programs, names, and
// this machine's certificates.
func (r rootfs) lay() error {
	for _, dir := range []string{"/bin", "/dev", "/etc", "/proc", "/root", "/tmp", "/usr/bin", "/usr/local/bin", "/var/tmp"} {
		if err := os.MkdirAll(r.at(dir), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		os.Chmod(r.at("/tmp"), 0o1777),
		r.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
		r.write("/etc/group", "root:x:0:\n"),
		r.write("/etc/ld.so.conf", "/usr/local/lib\n"),
		r.copyAs(certificates, certificates),
		r.copyAs("/etc/resolv.conf", "/etc/resolv.conf"),
		r.copyAs("/etc/hosts", "/etc/hosts"),
		r.shell(),
	)
}

func (r rootfs) write(path, content string) error {
	return os.WriteFile(r.at(path), []byte(content), 0o644)
}

// shell is busybox under the names of all its programs.
func (r rootfs) shell() error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("a base image has busybox for a shell: %w: run scripts/prepare, or install busybox-static with your system's packages", err)
	}
	names, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return err
	}
	if err := r.copyAs(busybox, "/bin/busybox"); err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(names)) {
		if err := os.Symlink("busybox", r.at("/bin/"+name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return os.Symlink("/bin/env", r.at("/usr/bin/env")) // where scripts look for it
}

// copyAs copies one file, or what it links to.
func (r rootfs) copyAs(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.at(to)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(r.at(to), content, info.Mode().Perm())
}

// copyTree copies a folder with its links, without what skip names.
func (r rootfs) copyTree(from, to string, skip func(name string) bool) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(from, path)
		if name != "." && skip(name) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, name)
		switch {
		case entry.IsDir():
			return os.MkdirAll(r.at(target), 0o755)
		case entry.Type()&fs.ModeSymlink != 0:
			return r.copyLink(path, target)
		}
		return r.copyAs(path, target)
	})
}

func (r rootfs) copyLink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	return os.Symlink(target, r.at(to))
}

// expected libraries are in every distribution's image: those that look up
// hosts, and those that programs in packages link to.
var expected = []string{"libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1", "libstdc++.so.6", "librt.so.1", "libpthread.so.0", "libdl.so.2"}

var libraryPath = regexp.MustCompile(`(?m)(/\S+\.so\S*) \(0x`)

// libraries brings the shared libraries that programs and libraries below a
// folder need, from where this machine has them, and indexes them.
func (r rootfs) libraries(dir string) error {
	err := filepath.WalkDir(r.at(dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.Contains(entry.Name(), ".so") && filepath.Base(filepath.Dir(path)) != "bin" {
			return err
		}
		return r.needs(path)
	})
	if err != nil {
		return err
	}
	for _, name := range expected {
		if err := r.bring("/lib/x86_64-linux-gnu/" + name); err != nil {
			return err
		}
	}
	return command(exec.Command("/sbin/ldconfig", "-r", string(r)))
}

func (r rootfs) needs(path string) error {
	ldd := exec.Command("ldd", path)
	ldd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+r.at("/usr/local/lib"))
	said, _ := ldd.Output() // fails for what is not dynamic, which needs nothing
	for _, found := range libraryPath.FindAllStringSubmatch(string(said), -1) {
		if strings.HasPrefix(found[1], string(r)) {
			continue
		}
		if err := r.bring(found[1]); err != nil {
			return err
		}
	}
	return nil
}

func (r rootfs) bring(library string) error {
	if _, err := os.Stat(r.at(library)); err == nil {
		return nil
	}
	return r.copyAs(library, library)
}

// run runs a program of the root within it.
func (r rootfs) run(args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = append(environment(), "PATH="+path, "HOME=/root")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: string(r)}
	return command(cmd)
}

func command(cmd *exec.Cmd) error {
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, said)
	}
	return nil
}
