// Identifiers on the wire: each Call-ID and From tag is a random number drawn for it alone, each branch a MAC under a key that
// nobody outside knows.
//
//   the system's generator --draw--> Call-ID, From tag        a request + key beside the rows --MAC--> branch
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/hex.h"
#include "core/identifiers.h"
#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

SipRequest request() {
  SipRequest q;
  q.method = "PUBLISH";
  q.uri = "sip:alice@example.com";
  q.from_tag = "01234567";
  q.call_id = "0123456789abcdef@us";
  q.cseq = 0x1f;
  q.event = "presence";
  q.expires = 3600;
  return q;
}

std::string branch(const SipRequest& q, HashKey key = {1, 2}) {
  char text[kBranchSize];
  return std::string(write_branch(key, q, text));
}

}  // namespace

TEST_GROUP(Identifiers) {
  char call_id[kCallIdSize + 1], from_tag[9];
};

TEST(Identifiers, a_call_id_and_its_tag_are_the_numbers_and_nothing_else) {
  write_names({0x00000000deadbeef, 0x7f}, "pua.example.net", call_id, from_tag);
  STRCMP_EQUAL("00000000deadbeef@pua.example.net", call_id);
  STRCMP_EQUAL("0000007f", from_tag);
}

TEST(Identifiers, a_host_name_of_any_length_gives_a_call_id_that_fits) {
  write_names({1, 2}, std::string(1000, 'h'), call_id, from_tag);
  STRCMP_EQUAL(("0000000000000001@" + std::string(kMaxIdHost, 'h')).c_str(), call_id);
  CallNumbers n;
  CHECK(read_names(call_id, from_tag, std::string(1000, 'h'), n));
  write_names({1, 2}, "", call_id, from_tag);
  STRCMP_EQUAL("0000000000000001@", call_id);
}

TEST(Identifiers, the_numbers_of_a_row_are_read_where_the_same_names_come_of_them) {
  CallNumbers n{7, 7};
  CHECK(read_names("00000000deadbeef@us", "0000007f", "us", n));
  UNSIGNED_LONGLONGS_EQUAL(0xdeadbeef, n.call);
  UNSIGNED_LONGS_EQUAL(0x7f, n.tag);
  const char* others[][2] = {{"00000000deadbeef@them", "0000007f"}, {"00000000deadbeef@us2", "0000007f"},
                             {"00000000deadbeef", "0000007f"},      {"00000000DEADBEEF@us", "0000007f"},
                             {"0000000deadbeef@us", "0000007f"},    {"00000000deadbeef@us", "000000000000007f"},
                             {"00000000deadbeef@us", "0000007g"},   {"00000000deadbeef@us", ""},
                             {"", ""}};
  for (auto& [call, tag] : others) CHECK_FALSE(read_names(call, tag, "us", n));
  UNSIGNED_LONGLONGS_EQUAL(0xdeadbeef, n.call);
}

TEST(Identifiers, the_same_request_has_the_same_branch_and_it_names_the_cseq) {
  TEXT_EQUAL(branch(request()), branch(request()));
  STRCMP_CONTAINS("z9hG4bK", branch(request()).c_str());
  LONGS_EQUAL(7 + 16 + 2, branch(request()).size());
  CHECK(branch(request()).ends_with("1f"));
  SipRequest q = request();
  q.cseq = UINT32_MAX;
  LONGS_EQUAL(kBranchSize, branch(q).size());
}

TEST(Identifiers, whatever_differs_in_a_request_gives_another_branch) {
  std::set<std::string> seen{branch(request())};
  std::string_view SipRequest::* const texts[] = {
      &SipRequest::method, &SipRequest::uri,    &SipRequest::from_tag, &SipRequest::call_id,      &SipRequest::to_tag, &SipRequest::contact,
      &SipRequest::event,  &SipRequest::if_match, &SipRequest::body,   &SipRequest::content_type, &SipRequest::proxy,
      &SipRequest::extra_headers};
  for (auto f : texts) {
    SipRequest q = request();
    q.*f = "other";
    CHECK(seen.insert(branch(q)).second);
  }
  SipRequest q = request();
  q.expires = 3601;
  CHECK(seen.insert(branch(q)).second);
  q = request();
  q.cseq++;
  CHECK(seen.insert(branch(q)).second);
}

TEST(Identifiers, without_the_key_nobody_computes_a_branch) {
  CHECK(branch(request(), {1, 2}) != branch(request(), {0, 2}));
  CHECK(branch(request(), {1, 2}) != branch(request(), {1, 3}));
  // A key that once stood in the sources, and so was known to everybody.
  SipRequest q = request();
  uint64_t known = SipHash({0x6272616e63682d31ull, 2}).add(q.call_id).add(q.cseq).add(q.expires).add(q.if_match).add(q.body)
                       .add(q.content_type).add(q.extra_headers).add(q.proxy).finish();
  char text[17] = {};
  write_hex(text, known, 16);
  CHECK(branch(q).find(text) == std::string::npos);
}

TEST(Identifiers, the_key_beside_the_rows_is_read_as_it_was_written_and_nothing_else_is_one) {
  TEXT_EQUAL("0123456789abcdef00000000000000ff", branch_key_text({0x0123456789abcdef, 0xff}));
  HashKey key{7, 7};
  CHECK(read_branch_key("0123456789abcdef00000000000000ff", key));
  CHECK(key == (HashKey{0x0123456789abcdef, 0xff}));
  for (const char* text : {"", "0", "0123456789abcdef00000000000000ff0", "0123456789ABCDEF00000000000000ff", "5000000000 1 2"})
    CHECK_FALSE(read_branch_key(text, key));
  CHECK(key == (HashKey{0x0123456789abcdef, 0xff}));
}

// --- the same through the engine ---------------------------------------------------------------------------------

TEST_GROUP(IdentifiersEngine) {
  SubsRig rig;

  // The place of this identifier's number among all that the engine has drawn; the test fails if it was not drawn.
  size_t drawn(const std::string& id, size_t digits) {
    uint64_t n = 0;
    CHECK(read_hex(id.substr(0, digits), n));
    for (size_t i = 0; i < rig.drawn.size(); i++)
      if (rig.drawn[i] == n || (digits == 8 && static_cast<uint32_t>(rig.drawn[i]) == n)) return i;
    FAIL(("nobody drew " + id).c_str());
    return 0;
  }
};

TEST(IdentifiersEngine, each_call_id_and_tag_is_a_number_drawn_for_it_alone) {
  rig.several_ids = true;
  std::set<size_t> used;
  for (int i = 0; i < 50; i++) {
    rig.Rig::ask({.uri = "sip:u" + std::to_string(i) + "@example.com", .body = "b"});
    rig.settle();
    CHECK(used.insert(drawn(rig.last().call_id, 16)).second && used.insert(drawn(rig.last().from_tag, 8)).second);
    rig.ask(Want{.uri = "sip:w" + std::to_string(i) + "@example.com"});
    rig.settle();
    CHECK(used.insert(drawn(rig.last().call_id, 16)).second && used.insert(drawn(rig.last().from_tag, 8)).second);
  }
  LONGS_EQUAL(200, used.size());
}

TEST(IdentifiersEngine, a_new_dialog_has_names_that_are_drawn_anew) {
  rig.live({}, 600);
  Sent first = rig.last();
  rig.notify({.state = "terminated", .reason = "deactivated"});
  CHECK(drawn(rig.last().call_id, 16) > drawn(first.call_id, 16));
  CHECK(drawn(rig.last().from_tag, 8) > drawn(first.from_tag, 8));
}

TEST(IdentifiersEngine, what_the_jitter_comes_from_is_no_identifier) {
  rig.Rig::publish("b1");
  Random jitter(rig.drawn[0]);   // the jitter is made of one number, from which no identifier can be computed
  for (int i = 0; i < 1000; i++) {
    char text[17] = {};
    write_hex(text, jitter.next(), 16);
    CHECK_FALSE(rig.last().call_id.starts_with(text));
  }
}

TEST(IdentifiersEngine, an_intent_is_repeated_under_its_branch_where_the_key_is_there_again) {
  rig.Rig::publish("b1");
  rig.advance(300);
  Sent before = rig.last();
  rig.restart();
  TEXT_EQUAL(before.wire(), rig.last().wire());
  rig.branch_key = {21, 22};   // as when the stored key could not be read at the start
  rig.restart();
  TEXT_EQUAL(before.call_id, rig.last().call_id);
  TEXT_EQUAL(before.from_tag, rig.last().from_tag);
  CHECK(before.branch != rig.last().branch);
}

TEST(IdentifiersEngine, a_row_with_names_that_are_not_ours_is_not_repeated_but_goes_out_under_new_ones) {
  rig.Rig::publish("b1");
  rig.advance(300);
  Sent before = rig.last();
  rig.kill();
  rig.settings.host = "renamed.example.net";
  rig.boot();
  TEXT_EQUAL("initial initial", rig.kinds());
  TEXT_EQUAL(before.body, rig.last().body);
  STRCMP_CONTAINS("@renamed.example.net", rig.last().call_id.c_str());
  CHECK(before.call_id.substr(0, 16) != rig.last().call_id.substr(0, 16));
  LONGS_EQUAL(1, rig.last().cseq);
}

TEST(IdentifiersEngine, the_names_of_a_restored_dialog_are_those_of_its_row_whoever_made_them) {
  rig.live({}, 600);
  rig.advance(kSecond);
  Sent before = rig.last();
  rig.kill();
  rig.settings.host = "renamed.example.net";
  rig.boot();
  rig.advance(60 * kSecond);
  TEXT_EQUAL("refresh", rig.last().kind());
  TEXT_EQUAL(before.call_id, rig.last().call_id);
  TEXT_EQUAL(before.from_tag, rig.last().from_tag);
}
