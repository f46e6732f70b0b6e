#!/usr/bin/env python3
"""The script that compares the log with puad(8), on small sources."""
import pathlib
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS.parent / "tests/e2e")]
from harness import Suite, equal, main_is  # noqa: E402
from loglines import lines_of, missing, page_words  # noqa: E402

suite = Suite()


def found(code, name="src/sip/a.cpp"):
    return [(line, text) for line, text, _ in lines_of(pathlib.Path(name), code)]


@suite.test
def a_call_of_the_log_is_found_with_its_format(ctx):
    equal(found('\n  log.warning("sip: %s is "\n              "away", name);'), [(2, "sip: %s is away")], "two literals")
    equal(found('log.notice("all is well");'), [], "below warning")
    equal(found('call.error(404, "No record");'), [], "an answer")


@suite.test
def a_line_of_the_reload_is_found_and_a_mere_reason_is_not(ctx):
    equal(found('log_.warning("reload: %s needs a restart to change", n);'), [(1, "reload: %s needs a restart to change")], "reload")
    equal(found('log_.error("reload: %s", e); log_.warning("%s", w);'), [], "reasons from elsewhere")


@suite.test
def a_warning_of_the_configuration_is_found(ctx):
    equal(found('warnings_.push_back(where(p) + ": tag; has " + no + " effect");', "src/config/parser.cpp"),
          [(1, ": tag; has ... effect")], "in the reader")


@suite.test
def an_error_that_ends_the_start_is_found(ctx):
    equal(found('return {Errc::sip_failed, "cannot listen on " + uri + ": " + why};'), [(1, "cannot listen on ...: ")], "SIP")
    maker = 'Error NAME(const std::string& path, const char* what) {\n  return {Errc::store_failed, path + ": " + what};\n}\n'
    for name in ("claim_error", "file_error"):
        equal(found(maker.replace("NAME", name) + f'return {name}(path, "in use by " + who);\nreturn {name}(path, "stat");'),
              [(2, ": "), (4, "in use by ")], "by a function, whatever its name")
    equal(found('Error bad(const std::string& u) { return {Errc::bad_config, "db_url: " + u}; }\nreturn bad("no host there");'), [],
          "by one whose errors are mistakes of the configuration")
    equal(found('return claim_error(path, "in use by " + who);'), [], "by one that makes other errors")
    equal(found('case SQLITE_BUSY:\ncase SQLITE_LOCKED: return "locked by another process";', "src/store/sqlite_db.cpp"),
          [(2, "locked by another process")], "SQLite's numbers")
    equal(found('s.f.reason = who + " is locked by " + what;\nsql = "SELECT";', "src/store/mysql_session_rules.cpp"),
          [(1, " is locked by ")], "a session")
    equal(found('return out + (n ? ": see puadbctl upgrade" : "");', "src/store/schema_version.h"), [(1, ": see puadbctl upgrade...")],
          "the version of a table")
    equal(found('return {Errc::bad_config, "parameter \\"x\\" is wrong"};'), [], "a mistake of the configuration")
    equal(found('return {Errc::no_record, "there is none"};'), [], "an error of a request")


@suite.test
def the_page_must_have_five_words_of_the_longest_text(ctx):
    page = page_words(".Sh LOG\n.It PATH: in use\n.Sq by another process, maybe\n.Sh FILES\n.It cannot lock NAME\n")
    equal(missing(page, ["control socket ", ": in use by another process, under"]), [], "is there")
    equal(missing(page, ["cannot lock "]), ["cannot", "lock"], "in another section")
    equal(missing(page, ["(table '", "_journal' in use by another)"]), [], "a name that is glued to a value does not count")
    equal(missing(page, ["", ": "]), [], "nothing but values")


main_is(suite)
