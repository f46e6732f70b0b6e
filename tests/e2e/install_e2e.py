#!/usr/bin/env python3
"""make: packages that are missing, flags of the user, install paths, what is installed, and that nothing of it stays."""
import os
import pathlib
import re
import shutil
import subprocess

from checkout import copy_checkout
from harness import ROOT, Skip, Suite, check, equal, main_is
from puad import run

suite = Suite()
USR = ("PREFIX=/usr", "SYSCONFDIR=/etc")


def make(tree, *arguments, status=0, timeout=600, env=None):
    # Of a make that runs this test it knows nothing.
    env = {name: value for name, value in (env or os.environ).items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = run("make", "--no-print-directory", *arguments, timeout=timeout, cwd=tree, env=env)
    equal(done.returncode, status, f"exit of make {' '.join(arguments)}: {(done.stdout + done.stderr)[-600:]}")
    return done.stdout + done.stderr


def files_under(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if not p.is_dir())


def sections(path):
    return set(re.findall(r"^ *\[ *\d+\] (\.\S+)", run("readelf", "-SW", path).stdout, re.M))


# --- make ---------------------------------------------------------------------------------------------------------

@suite.test
def help_names_each_target_and_no_other(ctx):
    lines = make(ROOT, "help").splitlines()
    told = {line.split()[0] for line in lines if line.startswith(" ")}
    for line in lines:
        check(line.startswith(" ") or line.endswith(":"), f"neither a target nor the head of a group: {line!r}")
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    phony = set(re.search(r"^\.PHONY: *(.*)$", text, re.M).group(1).split()) - {"FORCE"}
    ruled = set(re.findall(r"^([a-z0-9-]+):", text, re.M))
    equal((sorted(phony - told), sorted(told - phony)), ([], []), "targets without a line, lines without a target")
    equal(sorted(phony - ruled), [], "targets without a rule")
    for line in lines:
        check(len(line) <= 80, f"wider than a terminal: {line!r}")


@suite.test
def a_variant_that_is_not_there_is_an_error(ctx):
    check("there is no such variant" in make(ROOT, "V=relase", "help", status=2), "make V=relase says nothing")


@suite.test
def flags_of_the_user_come_in_addition_to_what_is_needed(ctx):
    mine = ["CXXFLAGS=-O1 -DMINE", "CFLAGS=-O3", "CPPFLAGS=-DALSO_MINE", "LDFLAGS=-Wl,-O1"]
    told = make(ROOT, "-n", "-B", *mine, "build/release/src/base/log.o", "build/release/puactl", "build/release/examples/watch")
    compiled, = (line for line in told.splitlines() if "-c -o build/release/src/base/log.o " in line)
    for flag in ("-std=c++20", "-fPIC", "-fvisibility=hidden", "-Iinclude", "-Isrc", "-D_GNU_SOURCE", "-Wall", "-DMINE", "-DALSO_MINE"):
        check(f" {flag} " in compiled, f"{flag} is missing: {compiled}")
    check(compiled.rindex(" -O1 ") > compiled.index(" -O2 "), f"the user's -O1 does not come last: {compiled}")
    linked, = (line for line in told.splitlines() if " -o build/release/puactl " in line)
    check("-Wl,-O1" in linked and "-ljansson" in linked, f"link of puactl: {linked}")
    example, = (line for line in told.splitlines() if " -o build/release/examples/watch " in line)
    check("-std=c11" in example and " -O3 " in example, f"an example: {example}")
    told = make(ROOT, "-n", "-B", "V=asan", *mine, "build/asan/src/base/log.o", "build/asan/puactl")
    equal(told.count("-fsanitize=address,undefined"), len(re.findall(r" -o build/asan/(?!gen)", told)), "commands with sanitizers")


# --- packages that are missing ------------------------------------------------------------------------------------

def path_without(ctx, *names, **scripts):
    """PATH of a folder with every program of this machine but some, and with some that are scripts."""
    folder = ctx.dir / "programs"
    folder.mkdir()
    for place in ("/usr/sbin", "/usr/bin"):
        for program in os.scandir(place):
            target = folder / program.name
            if program.name not in names and program.name not in scripts and not target.is_symlink():
                target.symlink_to(program.path)
    for name, text in scripts.items():
        (folder / name.replace("_", "-")).unlink(missing_ok=True)
        (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name.replace("_", "-")).chmod(0o755)
    return dict(os.environ, PATH=str(folder))


# Nothing of this may change the machine: a sudo or an apt-get that is called after all fails the test.
NEVER = {"apt_get": "echo CALLED apt-get; exit 9"}


@suite.test
def without_debian_make_says_what_is_missing_and_stops(ctx):
    env = path_without(ctx, "dpkg-query", "dpkg", "sudo", "python3", **NEVER,
                       pkg_config='[ "$1" = --exists ] && [ "$2" != libcares ] && [ "$2" != jansson ]')
    said = make(ROOT, "build-deps", status=2, env=env)
    for part in ("these programs are missing: python3\n", "these libraries are missing, by their pkg-config names: libcares jansson\n",
                 "this is no Debian", "libsofia-sip-ua-dev"):
        check(part in said, f"{part!r} is not in {said!r}")
    check("CALLED" not in said, said)


@suite.test
def without_pkg_config_nothing_is_said_of_libraries_that_may_be_there(ctx):
    env = path_without(ctx, "dpkg-query", "dpkg", "sudo", "pkg-config", "pkgconf", **NEVER)
    said = make(ROOT, "build-deps", status=2, env=env)
    check("these programs are missing: pkg-config\n" in said, said)
    check("these libraries are missing" not in said, said)


@suite.test
def without_debian_make_goes_on_where_all_is_there(ctx):
    env = path_without(ctx, "dpkg-query", "dpkg", "sudo", **NEVER)
    equal(make(ROOT, "build-deps", env=env), "", "what it said")
    check("this is no Debian" in make(ROOT, "deps", env=env), "nothing is said of what tests need")


LACKS_ONE = 'case $* in *jansson*) exit 1;; esac; echo installed'


@suite.test
def without_sudo_make_says_what_root_has_to_run(ctx):
    env = path_without(ctx, "sudo", **NEVER, dpkg_query=LACKS_ONE, id="echo 1000")
    said = make(ROOT, "build-deps", status=2, env=env)
    for part in ("these Debian packages are missing: libjansson-dev\n", "no sudo",
                 "  apt-get update && apt-get install --no-install-recommends libjansson-dev\n"):
        check(part in said, f"{part!r} is not in {said!r}")
    check("CALLED" not in said, said)


@suite.test
def where_sudo_is_refused_make_says_what_root_has_to_run(ctx):
    env = path_without(ctx, **NEVER, dpkg_query=LACKS_ONE, id="echo 1000", sudo="echo 'sudo: a password is required' >&2; exit 1")
    said = make(ROOT, "build-deps", status=2, env=env)
    check("they could not be installed" in said and "apt-get install --no-install-recommends libjansson-dev\n" in said, said)
    check("CALLED" not in said, said)


# --- install ------------------------------------------------------------------------------------------------------

@suite.test
def other_install_paths_after_make_are_in_everything_and_nothing_else_is_compiled(ctx):
    tree = copy_checkout(ctx.dir / "tree")
    equal(re.findall(r" -c -o (\S+)", make(tree, "build")), [], "compiled without a change")
    said = make(tree, "install", *USR, f"DESTDIR={ctx.dir}/usr")
    compiled = re.findall(r" -c -o build/release/(\S+)", said)
    check(compiled and set(compiled) <= {"src/puad/options.o", "src/puad/main.o"}, f"compiled anew: {compiled}")
    pc = (ctx.dir / "usr/usr/lib/pkgconfig/libpua.pc").read_text()
    check("prefix=/usr\nlibdir=/usr/lib\n" in pc, pc)
    check("(default /etc/pua/pua.conf)" in run(ctx.dir / "usr/usr/sbin/puad", "--help").stdout, "puad's default configuration")
    check("/etc/pua/pua.conf" in run(ctx.dir / "usr/usr/sbin/puadbctl", "check", "--help").stdout, "puadbctl's default configuration")
    equal(run(ctx.dir / "usr/usr/sbin/puadbctl", "--version").stdout,
          run(ctx.dir / "usr/usr/bin/puactl", "--version").stdout.replace("puactl", "puadbctl"), "puadbctl's version")
    check("ExecStart=/usr/sbin/puad -f /etc/pua/pua.conf " in (ctx.dir / "usr/usr/lib/systemd/system/puad.service").read_text(), "unit")
    for file in files_under(ctx.dir / "usr"):
        if not file.is_symlink():
            check(b"/usr/local" not in file.read_bytes(), f"{file} speaks of /usr/local")
    equal(re.findall(r" -c -o (\S+)", make(tree, "install", *USR, f"DESTDIR={ctx.dir}/usr")), [], "compiled the second time")
    said = make(tree, "install", f"DESTDIR={ctx.dir}/local")
    check("(default /usr/local/etc/pua/pua.conf)" in run(ctx.dir / "local/usr/local/sbin/puad", "--help").stdout, "and back")
    check("prefix=/usr/local\n" in (ctx.dir / "local/usr/local/lib/pkgconfig/libpua.pc").read_text(), "and back")


def installed(ctx, *arguments):
    """(tree, where it is installed)"""
    tree = copy_checkout(ctx.dir / "tree")
    make(tree, "install", *USR, f"DESTDIR={ctx.dir}/at", *arguments)
    return tree, ctx.dir / "at"


@suite.test
def a_program_needs_nothing_but_what_is_installed(ctx):
    _, at = installed(ctx)
    alone = dict(os.environ, PKG_CONFIG_LIBDIR=f"{at}/usr/lib/pkgconfig", PKG_CONFIG_SYSROOT_DIR=str(at))
    flags = run("pkg-config", "--cflags", "--libs", "libpua", env=alone)     # no other package's file is there
    equal((flags.returncode, flags.stdout.split()), (0, [f"-I{at}/usr/include", f"-L{at}/usr/lib", "-lpua"]), f"flags {flags.stderr}")
    static = run("pkg-config", "--static", "--libs", "libpua", env=alone).stdout.split()
    for library in ("-lsofia-sip-ua", "-lxml2", "-levent", "-lstdc++"):
        check(library in static, f"{library} is not in {static}")
    done = run("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", ctx.dir / "publish", ROOT / "examples/publish.c",
               *flags.stdout.split(), "-levent")
    equal(done.returncode, 0, f"compiling an example: {done.stderr}")
    loaded = run("ldd", ctx.dir / "publish", env=dict(os.environ, LD_LIBRARY_PATH=f"{at}/usr/lib")).stdout
    check(f"{at}/usr/lib/libpua.so.0" in loaded, loaded)
    equal(run(at / "usr/sbin/puad", "--version").returncode, 0, "puad --version")
    for command in ("create", "check"):
        done = run(at / "usr/sbin/puadbctl", command, "--url", f"sqlite://{ctx.dir}/pua.db")
        equal(done.returncode, 0, f"puadbctl {command}: {done.stderr}")
    equal([f for f in files_under(at) if "__pycache__" in str(f)], [], "what running a program leaves behind")
    for file in ("share/pua/db/mysql/pua-create.sql", "share/man/man8/puadbctl.8", "share/man/man8/puad.8", "share/man/man5/pua.conf.5",
                 "share/man/man1/puactl.1", "share/man/man3/libpua.3"):
        check((at / "usr" / file).is_file(), f"{file} is not installed")


@suite.test
def each_public_call_has_a_man_page(ctx):
    _, at = installed(ctx)
    pages = at / "usr/share/man"
    overview = (pages / "man3/libpua.3").read_text()
    exported = run("nm", "-D", "--defined-only", at / "usr/lib/libpua.so").stdout
    calls = sorted({name.split("@")[0] for kind, name in re.findall(r"^\S+ (\w) (\S+)$", exported, re.M) if kind == "T"})
    check(len(calls) >= 49, f"calls: {calls}")
    for call in calls:
        page = pages / "man3" / f"{call}.3"
        check(page.is_file(), f"man 3 {call}: there is no page")
        equal(page.read_text(), ".so man3/libpua.3\n", f"page of {call}")
        check(re.search(rf"^\.Fn {call}\b", overview, re.M), f"{call} is not in libpua(3)")
    if shutil.which("man"):
        found = run("man", "-M", pages, "3", "pua_send_publish", env=dict(os.environ, MANPAGER="cat", PAGER="cat"))
        check("pua_send_publish" in found.stdout, f"man 3 pua_send_publish: {found.stdout[:200]}{found.stderr}")


@suite.test
def what_is_installed_is_stripped_and_its_symbols_can_stand_beside_it(ctx):
    tree, at = installed(ctx)
    programs = [at / "usr/lib/libpua.so.0", at / "usr/sbin/puad", at / "usr/bin/puactl"]
    for file in programs:
        equal(sections(file) & {".symtab", ".debug_info"}, set(), f"symbols in {file.name}")
    check(".debug_info" not in sections(at / "usr/lib/libpua.a"), "symbols in libpua.a")
    size = sum(f.stat().st_size for f in files_under(at) if not f.is_symlink())
    check(size < 15 << 20, f"{size} octets are installed")
    make(tree, "install-symbols", *USR, f"DESTDIR={at}")
    for file in programs:
        build_id = re.search(r"Build ID: (\w+)", run("readelf", "-n", file).stdout).group(1)
        beside = at / f"usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
        check(beside.is_file() and ".debug_info" in sections(beside), f"no symbols of {file.name} in {beside}")
    make(tree, "uninstall", *USR, f"DESTDIR={at}")
    equal(sorted(at.rglob("*")), [], "what uninstall left")
    make(tree, "install", *USR, f"DESTDIR={at}", "STRIP=:")
    check(".debug_info" in sections(at / "usr/sbin/puad"), "STRIP=: strips")


@suite.test
def uninstall_leaves_nothing_but_what_was_there_before_and_a_configuration_that_was_changed(ctx):
    tree, at = copy_checkout(ctx.dir / "tree"), ctx.dir / "at"
    for folder in ("usr/lib/pkgconfig", "usr/share/man/man3", "usr/sbin", "etc"):    # empty, and not ours
        (at / folder).mkdir(parents=True)
    (at / "usr/lib/libother.so").write_text("another's")
    before = sorted(at.rglob("*"))
    make(tree, "install", *USR, f"DESTDIR={at}")
    make(tree, "install", *USR, f"DESTDIR={at}")         # over itself
    check("uninstalled" in make(tree, "uninstall", *USR, f"DESTDIR={at}"), "uninstall says nothing")
    equal(sorted(at.rglob("*")), before, "what is there after uninstall")
    make(tree, "install", *USR, f"DESTDIR={at}")
    config = at / "etc/pua/pua.conf"
    config.write_text(config.read_text() + "# mine\n")
    make(tree, "install", *USR, f"DESTDIR={at}")
    check(config.read_text().endswith("# mine\n"), "an installation over the first replaced the configuration")
    check("was changed and stays" in make(tree, "uninstall", *USR, f"DESTDIR={at}"), "uninstall does not say what it leaves")
    equal(sorted(at.rglob("*")), sorted([*before, config.parent, config]), "what is there after uninstall")
    check("nothing is installed" in make(tree, "uninstall", *USR, f"DESTDIR={at}", status=2), "a second uninstall")


@suite.test
def odd_install_paths_are_refused(ctx):
    tree = copy_checkout(ctx.dir / "tree")
    for path in ("PREFIX=usr", "SYSCONFDIR=/my etc", "LIBDIR=/a&b"):
        said = make(tree, "uninstall", path, f"DESTDIR={ctx.dir}/at", status=2)
        check(path.partition("=")[0] in said, f"{path}: {said}")


@suite.test
def whoever_is_not_root_installs_into_a_folder_of_his_own(ctx):
    if os.getuid() != 0:
        raise Skip("needs root, to become somebody else")
    tree = copy_checkout(ctx.dir / "tree")
    ctx.dir.chmod(0o755)
    subprocess.run(["chown", "-R", "nobody", tree], check=True)
    (ctx.dir / "home").mkdir()
    shutil.chown(ctx.dir / "home", "nobody")
    done = run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "make", "-C", tree, "install", f"PREFIX={ctx.dir}/home/pua",
               timeout=600, env={"PATH": "/usr/bin:/bin", "HOME": str(ctx.dir / "home")})
    equal(done.returncode, 0, f"make install PREFIX=home: {(done.stdout + done.stderr)[-500:]}")
    check(f"(default {ctx.dir}/home/pua/etc/pua/pua.conf)" in run(ctx.dir / "home/pua/sbin/puad", "--help").stdout, "puad --help")


main_is(suite)
