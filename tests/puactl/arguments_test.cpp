// The command line: help for each command, mistakes with what may have been meant.
#include <string>
#include <vector>

#include "puactl/arguments.h"

#include <CppUTest/TestHarness.h>

using namespace puactl;

TEST_GROUP(Arguments) {
  Invocation in;
  std::string mistake;
  Parsed parse(std::vector<std::string> words) {
    in = Invocation{};
    mistake.clear();
    words.insert(words.begin(), "puactl");
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    return parse_arguments(static_cast<int>(words.size()), argv.data(), in, mistake);
  }
  std::string sorted() const {
    char* text = json_dumps(in.params.get(), JSON_SORT_KEYS | JSON_COMPACT);
    std::string out = text;
    free(text);
    return out;
  }
  void wrong(const std::vector<std::string>& words, const char* wanted) {
    CHECK_TEXT(parse(words) == Parsed::Mistake, wanted);
    STRCMP_EQUAL(wanted, mistake.c_str());
  }
};

TEST(Arguments, each_command_has_its_help_wherever_it_is_asked_for) {
  for (const Command& c : all_commands()) {
    for (const std::vector<std::string>& words : {std::vector<std::string>{c.name, "--help"}, {c.name, "-h"}, {"help", c.name}}) {
      CHECK_TEXT(parse(words) == Parsed::Help, c.name);
      STRCMP_EQUAL(c.name, in.command.c_str());
    }
    std::string text = help_text(c.name);
    STRCMP_CONTAINS(("Usage: puactl " + std::string(c.name)).c_str(), text.c_str());
    for (const char* o = c.options; *o != '\0'; o++) STRCMP_CONTAINS(("--" + std::string(option_of(*o).name)).c_str(), text.c_str());
  }
  CHECK(parse({"--help"}) == Parsed::Help);
  CHECK(parse({"help"}) == Parsed::Help);
  STRCMP_EQUAL("", in.command.c_str());
}

TEST(Arguments, help_fits_80_columns) {
  std::vector<std::string> texts{help_text("")};
  for (const Command& c : all_commands()) texts.push_back(help_text(c.name));
  for (const std::string& text : texts) {
    for (size_t at = 0, end; at < text.size(); at = end + 1) {
      end = text.find('\n', at);
      CHECK_TEXT(end - at <= 80, text.substr(at, end - at).c_str());
    }
  }
}

TEST(Arguments, a_mistyped_word_is_told_with_the_one_that_is_near) {
  wrong({"pubish"}, "no such command: pubish (did you mean \"publish\"?) (see puactl help)");
  wrong({"xyzzy"}, "no such command: xyzzy (see puactl help)");
  wrong({"help", "lst"}, "no such command: lst (did you mean \"list\"?) (see puactl help)");
  wrong({"list", "--sate", "live"}, "list: no such option: --sate (did you mean \"--state\"?) (see puactl help list)");
  wrong({"list", "--etag", "e"}, "list: does not take --etag (see puactl help list)");
  wrong({"list", "--uri"}, "list: option without its value: --uri (see puactl help list)");
  wrong({"publish", "sip:a@b"}, "publish: --event is missing (see puactl help publish)");
  wrong({"subscribe", "sip:a@b", "--event", "presence"}, "subscribe: --watcher is missing (see puactl help subscribe)");
  wrong({"publish", "--event", "presence"}, "publish: which presentity? (see puactl help publish)");
  wrong({"--event", "presence"}, "--event stands behind a command (see puactl help)");
  wrong({}, "no command (see puactl help)");
}

TEST(Arguments, values_that_cannot_be_are_told_with_what_can) {
  for (const char* bad : {"-5", "-1", "x", "", "2147483648", "5s"})
    wrong({"publish", "sip:a@b", "--event", "presence", "--expires", bad},
          "--expires: must be 0 to 2147483647 seconds, or \"forever\" (see puactl help publish)");
  for (const char* bad : {"0", "-1", "x", ""}) wrong({"list", "--limit", bad}, "--limit: must be a number from 1 (see puactl help list)");
  wrong({"list", "--all", "--limit", "5"}, "list: --all and --limit exclude each other (see puactl help list)");
  wrong({"list", "--limit", "5", "--all"}, "list: --all and --limit exclude each other (see puactl help list)");
}

TEST(Arguments, each_option_becomes_its_parameter) {
  CHECK(parse({"subscribe", "sip:a@b", "--event", "presence", "--watcher", "sip:w@b", "--contact", "sip:c@b", "--event-id", "7", "--to",
               "sip:t@b", "--target", "sip:g@b", "--proxy", "sip:p@b", "--id", "i", "--expires", "forever"}) == Parsed::Run);
  STRCMP_EQUAL("{\"contact\":\"sip:c@b\",\"event\":\"presence\",\"event_id\":\"7\",\"expires\":-1,\"id\":\"i\",\"outbound_proxy\":\"sip:p@b\","
               "\"presentity_uri\":\"sip:a@b\",\"remote_target\":\"sip:g@b\",\"to_uri\":\"sip:t@b\",\"watcher_uri\":\"sip:w@b\"}",
               sorted().c_str());
  CHECK(parse({"list", "--uri", "sip:a*", "--state", "live", "--source", "1", "--kind", "publication"}) == Parsed::Run);
  STRCMP_EQUAL("{\"kind\":\"publication\",\"source\":\"1\",\"state\":\"live\",\"uri\":\"sip:a*\"}", sorted().c_str());
  CHECK(parse({"publish", "sip:a@b", "--event", "presence", "--etag", "x", "--content-type", "a/b", "--body", "d"}) == Parsed::Run);
  STRCMP_EQUAL("{\"body\":\"d\",\"content_type\":\"a/b\",\"etag\":\"x\",\"event\":\"presence\",\"presentity_uri\":\"sip:a@b\"}", sorted().c_str());
}

TEST(Arguments, json_is_known_whatever_else_is_wrong) {
  parse({"lst", "--json"});
  CHECK(in.json);
  parse({"list", "--nonsense", "--json"});
  CHECK(in.json);
  parse({"list"});
  CHECK(!in.json);
}

TEST(Arguments, options_stand_before_and_behind_the_command) {
  CHECK(parse({"-s", "/x", "--json", "list", "--wide", "--all", "--timeout", "7"}) == Parsed::Run);
  STRCMP_EQUAL("/x", in.socket.c_str());
  CHECK(in.json && in.wide);
  LONGS_EQUAL(7, in.timeout_s);
  LONGS_EQUAL(-1, in.limit);
  CHECK(parse({"list", "-s", "/y"}) == Parsed::Run);
  STRCMP_EQUAL("/y", in.socket.c_str());
  CHECK(parse({"--version"}) == Parsed::Version);
  CHECK(parse({"list", "--version"}) == Parsed::Version);
}
