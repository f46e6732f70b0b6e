#!/usr/bin/env python3
"""The scripts that look at functions, on small sources with planted faults."""
import pathlib
import subprocess
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS.parent / "tests/e2e")]
from functions import Unreadable, functions_of  # noqa: E402
from harness import Suite, check, equal, main_is  # noqa: E402

suite = Suite()

# What a reader of braces could stumble over. Behind each head stands the name that is to be found, and its lines.
SOURCE = r'''// void in_a_comment() {
#include "a.h"
#define OPEN {                         \
  {
namespace pua {
enum class State : uint8_t { Idle, Live };
const char* const kNames[] = {"{", "}", "'"};
struct Point {
  int x{0}, y = {};
  int sum() const { return x + y; }                                             // Point::sum 1
  bool operator==(const Point& o) const { return x == o.x; }                    // Point::operator== 1
};
template <class T, class = std::enable_if_t<(sizeof(T) > 4)>>
class Table final : public Base<T> {
 public:
  explicit Table(size_t n) : Base<T>{n}, rows_(n), names_{"a", "b"} {           // Table::Table 3
    fill('{');
  }
  ~Table() override { drop(); }                                                 // Table::~Table 1
  explicit operator bool() const noexcept { return !rows_.empty(); }            // Table::operator bool 1
  int operator()(int i) const& { return rows_[i]; }                             // Table::operator() 1
 private:
  std::function<void(int)> told_{[](int n) { (void)n; }};                       // lambda 1
  std::vector<int> rows_{1'000, '\'', 0x1e};
};
const char* const kText = R"sql(
  } {{ CREATE TABLE "x" (
)sql";
#ifdef LONG
int twice(int a) {                                                              // twice 8
  return a *
#else
int twice(long a) {
  return a +
#endif
         2;
}
const Rule kRules[] = {
    {State::Idle, [](const Step& s) { return s.wanted; }, "a {"},               // lambda 1
    {State::Live, nullptr, "b"},
};
const auto by_name = [](const Point& a, const Point& b) {                       // by_name 3
  return a.x < b.x;
};
template <class T>                                                              // Table::size 4
auto Table<T, void>::size(int least = 1) -> decltype(rows_.size()) {
  return rows_.size();
}
Point Table<int>::at(int i = {}) const {                                        // Table::at 4
  struct Local { int f() { return 1; } };
  return std::any_of(a, b, [&](int n) { return n == i; }) ? Point{} : Point{1};
}
extern "C" {
PUA_API int pua_start(pua_t* pua, void (*done)(int)) { return start(pua, done); }  // pua_start 1
}
TEST_GROUP(Tables) {
  void setup() override { clear(); }                                            // setup 1
};
TEST(Tables, one_row) {                                                         // TEST(Tables, one_row) 3
  CHECK(rows.size() == 1);
}
}  // namespace pua
'''


@suite.test
def a_source_is_split_into_its_functions(_):
    wanted = []
    for number, line in enumerate(SOURCE.splitlines(), 1):
        _, found, comment = line.rpartition("  // ")
        if found and comment[-1].isdigit():
            name, lines = comment.rsplit(" ", 1)
            wanted.append((number, name, int(lines)))
    equal([(f.first, f.name, f.lines) for f in functions_of(SOURCE)], wanted, "functions")


@suite.test
def braces_that_do_not_match_are_named(ctx):
    for text, why in (("int f() {\n  if (a) {\n}\n", "line 1: '{' is not closed"), ("int f() {}\n}\n", "line 2: '}' closes nothing"),
                      ("int f() {\n  g(];\n}\n", "line 2: ']' closes nothing")):
        try:
            functions_of(text)
            check(False, f"{text!r} was read")
        except Unreadable as found:
            equal(str(found), why, "reason")
    (ctx.dir / "odd.cpp").write_text("int f() {}\n}\n")
    equal(run("duplicate-functions", ctx.dir / "odd.cpp"), (1, f"{ctx.dir / 'odd.cpp'}: line 2: '}}' closes nothing"), "of a file")


def run(script, *arguments):
    """Exit status and output, without its last line feed."""
    done = subprocess.run([SCRIPTS / script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode().rstrip("\n")


ORIGINAL = """
int Publications::reap(MonoMs now) {
  int count = 0;
  for (auto& record : records_) {
    if (record.state != State::Gone || record.until > now) continue;
    log_.info("%s is gone", record.name.c_str());
    index_.erase(record.key);
    counters_.reaped += 1;
    count++;
  }
  return count;
}
"""
# Another name for everything, another text, another comment, another layout.
COPY = """
// Nobody wants these any more.
Count sub::Subscriptions::sweep(Time moment)
{
  int swept = 17;
  for (auto& s : all_)
  {
    if (s.at != sub::At::Ended || s.ends > moment)
      continue;  // not yet
    out_.debug("a subscription, %s, "
               "has ended", s.uri.c_str());
    by_dialog_.erase(s.dialog);
    stats_.swept += 2;
    swept++;
  }
  return swept;
}
"""
# As long, of the same words, and about something else.
OTHER = """
bool Watchers::put(const Key& key, Row row) {
  Row* old = find(key);
  if (!old) return rows_.size() < kMost && rows_.emplace(key, std::move(row)).second;
  while (old->next && old->next->version < row.version) old = old->next;
  old->version = row.version;
  old->body = row.body.empty() ? std::string() : std::move(row.body);
  return true;
}
"""


def pairs_of(ctx, *sources, options=()):
    for n, text in enumerate(sources):
        (ctx.dir / f"{n}.cpp").write_text(text)
    status, out = run("duplicate-functions", *options, *[ctx.dir / f"{n}.cpp" for n in range(len(sources))])
    return status, out.replace(f"{ctx.dir}/", "")


@suite.test
def a_copy_with_other_names_is_a_pair(ctx):
    equal(pairs_of(ctx, ORIGINAL, COPY),
          (0, "0.cpp:2: Publications::reap ~ 1.cpp:3: sub::Subscriptions::sweep: 69 of 69 tokens\n1 pairs of functions are alike"), "both")


@suite.test
def functions_about_something_else_are_none(ctx):
    equal(pairs_of(ctx, ORIGINAL, OTHER), (0, "0 pairs of functions are alike"), "both")


@suite.test
def a_function_of_its_own_file_is_found_as_well(ctx):
    equal(pairs_of(ctx, ORIGINAL + COPY)[1].splitlines()[-1], "1 pairs of functions are alike", "count")


@suite.test
def two_thirds_make_a_pair(ctx):
    half = ORIGINAL.index("    log_")
    longer = "  while (old->next && old->next->version < row.version) old = old->next;\n"
    equal(pairs_of(ctx, ORIGINAL, COPY.replace("  return", longer + "  return"))[1].splitlines()[-1], "1 pairs of functions are alike", "one more")
    equal(pairs_of(ctx, ORIGINAL, ORIGINAL[:half] + longer + "  }\n  if (!old) return rows_.size() < kMost ? 1 : 2;\n  return old->n;\n}\n"),
          (0, "0 pairs of functions are alike"), "half")


@suite.test
def the_same_parts_in_another_order_are_none(ctx):
    first = "  if (a.state != State::Gone || a.until > now) a.until = now + a.grant * 1000;\n"
    second = "  log_.info(\"%s is gone\", a.name.c_str(), a.at, a.until, now);\n"
    third = "  for (auto& waiting : a.waiting) waiting.told(a.status, a.reason), a.count--;\n"
    parts = [f"void f(Record& a) {{\n{''.join(order)}}}\n" for order in ((first, second, third), (third, second, first))]
    equal(pairs_of(ctx, *parts), (0, "0 pairs of functions are alike"), "turned round")


@suite.test
def short_functions_may_be_alike(ctx):
    short = "int size(const List& l) {\n  int n = 0;\n  for (auto* i = l.first; i; i = i->next) n++;\n  return n;\n}\n"
    equal(pairs_of(ctx, short, short), (0, "0 pairs of functions are alike"), "39 tokens at most")


@suite.test
def tables_may_be_alike(ctx):
    names = "const char* %s(int i) {\n  static const char* names[] = {" + ", ".join(f'"{n}"' for n in range(40)) + "};\n  return names[i];\n}\n"
    turns = "int %s(Kind k) {\n  switch (k) {\n" + "".join(f"    case Kind::k{n}: return Other::k{n};\n" for n in range(12)) + "  }\n}\n"
    for text in (names, turns):
        equal(pairs_of(ctx, text % "a", text % "b"), (0, "0 pairs of functions are alike"), text)


@suite.test
def more_or_less_than_are_known_is_an_error(ctx):
    equal(pairs_of(ctx, ORIGINAL, COPY, options=("--count", "1")), (0, "1 pairs of functions are alike"), "with as many")
    equal(pairs_of(ctx, ORIGINAL, COPY, options=("--count", "2")),
          (1, "duplicate-functions: fewer than 2 pairs: 1 is the number from now on\n1 pairs of functions are alike"), "with less")
    status, out = pairs_of(ctx, ORIGINAL, COPY, options=("--count", "0"))
    equal((status, out.splitlines()[1:]), (1, ["duplicate-functions: more than 0 pairs: write once what is new in this list",
                                               "1 pairs of functions are alike"]), "with more")


@suite.test
def a_search_that_finds_nothing_is_an_error(ctx):
    (ctx.dir / "empty.cpp").write_text("int n = 0;\n")
    for script in ("duplicate-functions", "long-functions"):
        equal(run(script, ctx.dir / "empty.cpp"), (1, f"there is no function in {ctx.dir}/empty.cpp"), script)
        equal(run(script, ctx.dir / "no.cpp"), (1, f"{ctx.dir}/no.cpp: there is no such file or folder"), script)


@suite.test
def a_function_of_60_lines_is_not_too_long(ctx):
    text = "int f() {\n" + "  g();\n" * 58 + "}\n"
    (ctx.dir / "f.cpp").write_text(text)
    equal(run("long-functions", ctx.dir), (0, "long-functions: none of 1 functions has more than 60 lines"), "60 lines")
    (ctx.dir / "f.cpp").write_text("\n\n" + text.replace("  g();\n", "  g();\n\n", 1))
    equal(run("long-functions", ctx.dir), (1, f"{ctx.dir}/f.cpp:3: f has 61 lines, more than 60"), "61 lines")


main_is(suite)
