// Watcher information: documents are read or refused with the element named; lists are put together from documents in order.
#include <string>

#include "events/watcherinfo.h"
#include "tests/events/schema.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

std::string document(int version, const std::string& state, const std::string& inside) {
  return "<?xml version=\"1.0\"?>\n<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"" + std::to_string(version) +
         "\" state=\"" + state + "\">" + inside + "</watcherinfo>\n";
}
std::string list(const std::string& inside, const std::string& resource = "sip:alice@example.com",
                 const std::string& package = "presence") {
  return "<watcher-list resource=\"" + resource + "\" package=\"" + package + "\">" + inside + "</watcher-list>";
}
std::string watcher(const std::string& id, const std::string& status, const std::string& uri = "sip:bob@example.org") {
  return "<watcher id=\"" + id + "\" status=\"" + status + "\" event=\"subscribe\">" + uri + "</watcher>";
}
std::string many(int from, int count, const std::string& status = "active") {
  std::string out;
  for (int i = from; i < from + count; i++) out += watcher(std::to_string(i), status, "sip:b@c");
  return out;
}

}  // namespace

TEST_GROUP(WatcherInfo) {
  XmlReader reader;

  pua::WatcherInfo reads(const std::string& doc, bool valid = true) {
    auto r = parse_watcherinfo(reader, doc);
    if (!r) FAIL(r.error().message.c_str());
    if (valid && schemas_present()) STRCMP_EQUAL("", schema_error(doc).c_str());
    return *r;
  }
  void refused(const std::string& doc, const std::string& message, Errc code = Errc::bad_body) {
    auto r = parse_watcherinfo(reader, doc);
    CHECK_TEXT(!r.ok(), message.c_str());
    STRCMP_EQUAL(message.c_str(), r.error().message.c_str());
    CHECK(r.code() == code);
  }
  // An error in the only watcher of the only list.
  void refused_watcher(const std::string& element, const std::string& message) {
    refused(document(1, "full", list(element)), "watcher 1 of watcher-list 1: " + message);
  }
};

TEST(WatcherInfo, everything_in_a_document_is_read) {
  auto i = reads(document(17, "partial",
      "\n  <watcher-list resource=\"sip:alice@example.com\" package=\"presence\">\n"
      "    <watcher id=\"77ajsyy76\" status=\"pending\" event=\"subscribe\" expiration=\"300\" duration-subscribed=\"1856\" "
      "display-name=\"B&amp;b, Bob\" xml:lang=\"en\">\n sip:bob@example.org;x=1?a=b&amp;c=d \n</watcher>\n"
      "    <watcher id=\"2\" status=\"active\" event=\"approved\"><![CDATA[sip:c]]>arol@<!-- -->example.net</watcher>\n"
      "  </watcher-list>\n  <watcher-list resource=\"sips:alice@example.com\" package=\"dialog\"/>\n"));
  UNSIGNED_LONGS_EQUAL(17, i.version);
  CHECK_FALSE(i.full);
  LONGS_EQUAL(2, i.lists.size());
  STRCMP_EQUAL("sip:alice@example.com", i.lists[0].resource.c_str());
  STRCMP_EQUAL("presence", i.lists[0].package.c_str());
  LONGS_EQUAL(2, i.lists[0].watchers.size());
  const Watcher& bob = i.lists[0].watchers[0];
  STRCMP_EQUAL("77ajsyy76", bob.id.c_str());
  CHECK(bob.status == WatcherStatus::Pending);
  CHECK(bob.event == WatcherEvent::Subscribe);
  STRCMP_EQUAL("sip:bob@example.org;x=1?a=b&c=d", bob.uri.c_str());
  STRCMP_EQUAL("B&b, Bob", bob.display_name.c_str());
  CHECK(bob.expiration == 300u);
  CHECK(bob.duration_subscribed == 1856u);
  const Watcher& carol = i.lists[0].watchers[1];
  STRCMP_EQUAL("2", carol.id.c_str());
  CHECK(carol.status == WatcherStatus::Active);
  CHECK(carol.event == WatcherEvent::Approved);
  STRCMP_EQUAL("sip:carol@example.net", carol.uri.c_str());
  STRCMP_EQUAL("", carol.display_name.c_str());
  CHECK_FALSE(carol.expiration.has_value());
  CHECK_FALSE(carol.duration_subscribed.has_value());
  STRCMP_EQUAL("sips:alice@example.com", i.lists[1].resource.c_str());
  STRCMP_EQUAL("dialog", i.lists[1].package.c_str());
  LONGS_EQUAL(0, i.lists[1].watchers.size());
}

TEST(WatcherInfo, an_empty_full_document_is_a_document) {
  auto i = reads(document(0, "full", ""));
  UNSIGNED_LONGS_EQUAL(0, i.version);
  CHECK_TRUE(i.full);
  LONGS_EQUAL(0, i.lists.size());
}

TEST(WatcherInfo, each_status_and_event_is_known_by_its_name) {
  const char* const statuses[] = {"pending", "active", "waiting", "terminated"};
  const char* const events[] = {"subscribe", "approved", "deactivated", "probation", "rejected", "timeout", "giveup", "noresource"};
  for (int s = 0; s < 4; s++) {
    for (int e = 0; e < 8; e++) {
      auto i = reads(document(0, "full", list(std::string("<watcher id=\"1\" status=\"") + statuses[s] + "\" event=\"" + events[e] +
                                              "\">sip:b@c</watcher>")));
      const Watcher& w = i.lists[0].watchers[0];
      LONGS_EQUAL(s, static_cast<int>(w.status));
      LONGS_EQUAL(e, static_cast<int>(w.event));
      STRCMP_EQUAL(statuses[s], std::string(watcher_status_text(w.status)).c_str());
      STRCMP_EQUAL(events[e], std::string(watcher_event_text(w.event)).c_str());
    }
  }
}

TEST(WatcherInfo, what_is_of_other_namespaces_is_passed_over) {
  auto i = reads("<w:watcherinfo xmlns:w='urn:ietf:params:xml:ns:watcherinfo' xmlns:x='urn:x' version='1' state='full' x:state='no'>"
                 "<w:watcher-list resource='sip:a@b' package='presence'><w:watcher id='1' status='active' event='approved'>sip:b@c"
                 "</w:watcher><x:y><w:watcher/>text<x:z/></x:y></w:watcher-list>"
                 "<x:watcher-list><w:watcher-list/><a xmlns=''/></x:watcher-list></w:watcherinfo>", false);
  LONGS_EQUAL(1, i.lists.size());
  LONGS_EQUAL(1, i.lists[0].watchers.size());
  i = reads(document(1, "full", list("<watcher id='1' status='active' event='approved'>sip:<x xmlns='u'>no<y/>no</x>b@c</watcher>")), false);
  STRCMP_EQUAL("sip:b@c", i.lists[0].watchers[0].uri.c_str());
}

TEST(WatcherInfo, a_document_that_is_none_is_refused) {
  refused("", "the document is empty");
  refused(document(1, "full", "<watcher-list>"), "not well-formed XML, line 2: Opening and ending tag mismatch: watcher-list line 2 and watcherinfo");
  refused("<!DOCTYPE a [<!ENTITY b 'c'>]>" + document(1, "full", ""), "document type declarations and entities are not accepted");
  refused("<watcherinfo version='1' state='full'/>", "the root element is \"watcherinfo\" in no namespace, not \"watcherinfo\" in "
          "namespace \"urn:ietf:params:xml:ns:watcherinfo\"");
  refused(document(1, "whole", ""), "<watcherinfo>: state \"whole\" is not \"full\" or \"partial\"");
  refused(document(-1, "full", ""), "<watcherinfo>: version \"-1\" is not a number from 0 to 4294967295");
}

TEST(WatcherInfo, what_is_not_well_formed_is_refused_before_what_it_says) {
  refused(document(1, "full", list("<watcher/>") + "<a>"),
          "not well-formed XML, line 2: Opening and ending tag mismatch: a line 2 and watcherinfo");
}

TEST(WatcherInfo, elements_out_of_place_are_named) {
  refused(document(1, "full", watcher("1", "active")), "watcherinfo: an element \"watcher\" has no place here");
  refused(document(1, "full", list("") + list(list(""))), "watcher-list 2: an element \"watcher-list\" has no place here");
  refused(document(1, "full", list(watcher("1", "active") + watcher("2", "active", "sip:<b/>"))),
          "watcher 2 of watcher-list 1: an element \"b\" has no place here");
  refused("<w:watcherinfo xmlns:w='urn:ietf:params:xml:ns:watcherinfo' version='1' state='full'><watcher-list/></w:watcherinfo>",
          "watcherinfo: an element \"watcher-list\" of no namespace has no place here");
}

TEST(WatcherInfo, lists_have_resource_and_package) {
  refused(document(1, "full", "<watcher-list package='presence'/>"), "watcher-list 1: has no resource");
  refused(document(1, "full", list("") + "<watcher-list resource='sip:a@b'/>"), "watcher-list 2: has no package");
  refused(document(1, "full", list("", "")), "watcher-list 1: has no resource");
  refused(document(1, "full", list("", "sip:a@b&#13;&#10;X: y")),
          "watcher-list 1: resource \"sip:a@b??X: y\" holds blanks or control characters");
  refused(document(1, "full", list("", "sip:a@b", "a b")), "watcher-list 1: package \"a b\" holds blanks or control characters");
  refused(document(1, "full", list("", std::string(1025, 'r'))), "watcher-list 1: resource is longer than 1024 octets");
}

TEST(WatcherInfo, watchers_have_id_status_event_and_uri) {
  refused_watcher("<watcher status='active' event='approved'>sip:b@c</watcher>", "has no id");
  refused_watcher("<watcher id='' status='active' event='approved'>sip:b@c</watcher>", "has no id");
  refused_watcher("<watcher id='1' event='approved'>sip:b@c</watcher>", "has no status");
  refused_watcher("<watcher id='1' status='Active' event='approved'>sip:b@c</watcher>", "status \"Active\" is not known");
  refused_watcher("<watcher id='1' status='active'>sip:b@c</watcher>", "has no event");
  refused_watcher("<watcher id='1' status='active' event='terminated'>sip:b@c</watcher>", "event \"terminated\" is not known");
  refused_watcher("<watcher id='1' status='active' event='approved'/>", "has no URI");
  refused_watcher(watcher("1", "active", " \n "), "has no URI");
  refused_watcher(watcher("1", "active", "sip:b@c d"), "URI \"sip:b@c d\" holds blanks or control characters");
  refused_watcher(watcher("1", "active", "sip:b@c&#13;&#10;Via: x"), "URI \"sip:b@c??Via: x\" holds blanks or control characters");
}

TEST(WatcherInfo, strings_are_bounded) {
  auto i = reads(document(1, "full", list(watcher(std::string(1024, 'i'), "active", std::string(1024, 'u')))));
  LONGS_EQUAL(1024, i.lists[0].watchers[0].id.size());
  LONGS_EQUAL(1024, i.lists[0].watchers[0].uri.size());
  refused_watcher(watcher(std::string(1025, 'i'), "active"), "id is longer than 1024 octets");
  refused_watcher(watcher("1", "active", std::string(1025, 'u')), "URI is longer than 1024 octets");
  refused_watcher(watcher("1", "active", std::string(900000, 'u')), "URI is longer than 1024 octets");
  refused_watcher("<watcher id='1' status='active' event='approved' display-name='" + std::string(1025, 'd') + "'>sip:b@c</watcher>",
                  "display-name is longer than 1024 octets");
}

TEST(WatcherInfo, seconds_are_numbers) {
  auto with = [](const char* name, const char* value) {
    return "<watcher id='1' status='active' event='approved' " + std::string(name) + "='" + value + "'>sip:b@c</watcher>";
  };
  auto i = reads(document(1, "full", list(with("expiration", "18446744073709551615"))));
  CHECK(i.lists[0].watchers[0].expiration == 18446744073709551615u);
  i = reads(document(1, "full", list(with("duration-subscribed", " +0\n"))), false);  // libxml2 wants no blanks here
  CHECK(i.lists[0].watchers[0].duration_subscribed == 0u);
  for (const char* v : {"", "-1", "1.5", "18446744073709551616", "soon"}) {
    refused_watcher(with("expiration", v), std::string("expiration \"") + v + "\" is not a number of seconds");
  }
  refused_watcher(with("duration-subscribed", "x"), "duration-subscribed \"x\" is not a number of seconds");
}

TEST(WatcherInfo, watchers_and_lists_are_bounded) {
  LONGS_EQUAL(10000, reads(document(1, "full", list(many(0, 10000)))).lists[0].watchers.size());
  refused(document(1, "full", list(many(0, 5000)) + list(many(0, 5001))),
          "watcher-list 2: the document has more than 10000 watchers", Errc::too_large);
  std::string lists;
  for (int i = 0; i < 1000; i++) lists += list("");
  LONGS_EQUAL(1000, reads(document(1, "full", lists)).lists.size());
  refused(document(1, "full", lists + list("")), "watcherinfo: has more than 1000 watcher-lists", Errc::too_large);
}

TEST(WatcherInfo, every_prefix_of_a_document_is_refused_without_harm) {
  const std::string doc = document(1, "full", list(watcher("1", "active") + "<x xmlns='u'>a</x>") + list(""));
  for (size_t n = 0; n + 1 < doc.size(); n++) CHECK_FALSE(parse_watcherinfo(reader, doc.substr(0, n)).ok());
  (void)reads(doc, false);
}

TEST_GROUP(WatcherList) {
  using Step = pua::WatcherList::Step;
  XmlReader reader;
  pua::WatcherList all;

  Result<Step> apply(int version, const std::string& state, const std::string& inside) {
    auto i = parse_watcherinfo(reader, document(version, state, inside));
    if (!i) FAIL(i.error().message.c_str());
    if (inside.size() < 10000 && schemas_present()) STRCMP_EQUAL("", schema_error(document(version, state, inside)).c_str());
    return all.apply(std::move(*i));
  }
  void steps(Step expected, int version, const std::string& state, const std::string& inside, const std::string& seen) {
    auto r = apply(version, state, inside);
    if (!r) FAIL(r.error().message.c_str());
    LONGS_EQUAL(static_cast<int>(expected), static_cast<int>(*r));
    shows(seen);
  }
  // "version: resource/package id=status(uri) ...;"
  void shows(const std::string& expected) {
    std::string seen = all.version() ? std::to_string(*all.version()) + ":" : "none:";
    size_t watchers = 0;
    for (const auto& [key, rows] : all.lists()) {
      seen += " " + key.first + "/" + key.second;
      for (const auto& [id, w] : rows) {
        STRCMP_EQUAL(id.c_str(), w.id.c_str());
        seen += " " + id + "=" + std::string(watcher_status_text(w.status)) + "(" + w.uri + ")";
      }
      seen += ";";
      watchers += rows.size();
    }
    STRCMP_EQUAL(expected.c_str(), seen.c_str());
    LONGS_EQUAL(watchers, all.size());
  }
};

TEST(WatcherList, full_state_replaces_all) {
  shows("none:");
  steps(Step::Applied, 0, "full", list(watcher("1", "active") + watcher("2", "pending", "sip:c@d")),
        "0: sip:alice@example.com/presence 1=active(sip:bob@example.org) 2=pending(sip:c@d);");
  steps(Step::Applied, 1, "full", list(watcher("3", "waiting", "sip:e@f"), "sip:al@x", "dialog"),
        "1: sip:al@x/dialog 3=waiting(sip:e@f);");
  steps(Step::Applied, 2, "full", "", "2:");
}

TEST(WatcherList, partial_state_adds_changes_and_removes) {
  steps(Step::Applied, 5, "full", list(watcher("1", "active", "sip:a@a") + watcher("2", "pending", "sip:b@b")),
        "5: sip:alice@example.com/presence 1=active(sip:a@a) 2=pending(sip:b@b);");
  steps(Step::Applied, 6, "partial", list(watcher("2", "active", "sip:b@b") + watcher("3", "pending", "sip:c@c")),
        "6: sip:alice@example.com/presence 1=active(sip:a@a) 2=active(sip:b@b) 3=pending(sip:c@c);");
  steps(Step::Applied, 7, "partial", list(watcher("1", "terminated", "sip:a@a") + watcher("9", "terminated", "sip:x@x")),
        "7: sip:alice@example.com/presence 2=active(sip:b@b) 3=pending(sip:c@c);");
  steps(Step::Applied, 8, "partial", "", "8: sip:alice@example.com/presence 2=active(sip:b@b) 3=pending(sip:c@c);");
}

TEST(WatcherList, lists_are_told_apart_by_resource_and_package) {
  steps(Step::Applied, 0, "full", list(watcher("1", "active", "sip:a@a")), "0: sip:alice@example.com/presence 1=active(sip:a@a);");
  steps(Step::Applied, 1, "partial",
        list(watcher("1", "terminated", "sip:a@a"), "sip:alice@example.com", "dialog") + list(watcher("1", "waiting", "sip:z@z"), "sip:al@x"),
        "1: sip:al@x/presence 1=waiting(sip:z@z); sip:alice@example.com/dialog; sip:alice@example.com/presence 1=active(sip:a@a);");
}

TEST(WatcherList, terminated_watchers_of_full_state_are_not_listed) {
  steps(Step::Applied, 0, "full", list(watcher("1", "terminated", "sip:a@a") + watcher("2", "active", "sip:b@b")),
        "0: sip:alice@example.com/presence 2=active(sip:b@b);");
}

TEST(WatcherList, the_last_one_counts_where_an_id_is_there_twice) {
  steps(Step::Applied, 0, "full", list(watcher("1", "pending", "sip:a@a") + watcher("1", "active", "sip:b@b")),
        "0: sip:alice@example.com/presence 1=active(sip:b@b);");
  steps(Step::Applied, 1, "partial", list(watcher("2", "active", "sip:c@c")) + list(watcher("2", "terminated", "sip:c@c")),
        "1: sip:alice@example.com/presence 1=active(sip:b@b);");
}

TEST(WatcherList, a_gap_keeps_what_is_known_until_full_state_comes) {
  steps(Step::Applied, 3, "full", list(watcher("1", "active", "sip:a@a")), "3: sip:alice@example.com/presence 1=active(sip:a@a);");
  steps(Step::Gap, 5, "partial", list(watcher("2", "active", "sip:b@b")), "3: sip:alice@example.com/presence 1=active(sip:a@a);");
  steps(Step::Gap, 6, "partial", list(watcher("3", "active", "sip:c@c")), "3: sip:alice@example.com/presence 1=active(sip:a@a);");
  steps(Step::Applied, 7, "full", list(watcher("4", "active", "sip:d@d")), "7: sip:alice@example.com/presence 4=active(sip:d@d);");
  steps(Step::Applied, 8, "partial", list(watcher("5", "active", "sip:e@e")),
        "8: sip:alice@example.com/presence 4=active(sip:d@d) 5=active(sip:e@e);");
}

TEST(WatcherList, partial_state_before_any_full_state_is_a_gap) {
  steps(Step::Gap, 0, "partial", list(watcher("1", "active")), "none:");
  steps(Step::Gap, 1, "partial", list(watcher("1", "active")), "none:");
}

TEST(WatcherList, lower_versions_are_discarded) {
  const char* const known = "4: sip:alice@example.com/presence 1=active(sip:a@a);";
  steps(Step::Applied, 4, "full", list(watcher("1", "active", "sip:a@a")), known);
  steps(Step::Stale, 3, "full", "", known);
  steps(Step::Stale, 3, "partial", list(watcher("1", "terminated", "sip:a@a")), known);
  steps(Step::Stale, 4, "partial", list(watcher("1", "terminated", "sip:a@a")), known);
  steps(Step::Applied, 4, "full", list(watcher("2", "active", "sip:b@b")), "4: sip:alice@example.com/presence 2=active(sip:b@b);");
}

TEST(WatcherList, nothing_follows_the_highest_version) {
  pua::WatcherInfo i;
  i.full = true;
  i.version = 4294967295u;
  CHECK(*all.apply(i) == Step::Applied);
  i.full = false;
  i.version = 0;
  CHECK(*all.apply(i) == Step::Stale);
  shows("4294967295:");
}

TEST(WatcherList, a_reset_counts_from_the_start) {
  steps(Step::Applied, 4, "full", list(watcher("1", "active", "sip:a@a")), "4: sip:alice@example.com/presence 1=active(sip:a@a);");
  all.reset();
  shows("none:");
  steps(Step::Applied, 0, "full", "", "0:");
}

TEST(WatcherList, it_is_bounded_and_keeps_what_it_had) {
  CHECK(*apply(0, "full", list(many(0, 9999))) == Step::Applied);
  LONGS_EQUAL(9999, all.size());
  CHECK(*apply(1, "partial", list(many(0, 1, "terminated") + many(20000, 2))) == Step::Applied);  // 10002 rows were in play
  LONGS_EQUAL(10000, all.size());
  auto r = apply(2, "partial", list(many(1, 1, "terminated")) + list(many(30000, 2)));
  CHECK(r.code() == Errc::too_large);
  STRCMP_EQUAL("watcherinfo: with this document there are more than 10000 watchers", r.error().message.c_str());
  LONGS_EQUAL(10000, all.size());
  UNSIGNED_LONGS_EQUAL(1, *all.version());
  CHECK(all.lists().begin()->second.contains("1"));
}

TEST(WatcherList, the_number_of_lists_is_bounded) {
  std::string lists;
  for (int i = 0; i < 1000; i++) lists += list("", "sip:" + std::to_string(i));
  CHECK(*apply(0, "full", lists) == Step::Applied);
  CHECK(*apply(1, "partial", list(watcher("1", "active"), "sip:0")) == Step::Applied);
  auto r = apply(2, "partial", list("", "sip:1000"));
  CHECK(r.code() == Errc::too_large);
  STRCMP_EQUAL("watcherinfo: with this document there are more than 1000 watcher-lists", r.error().message.c_str());
  LONGS_EQUAL(1000, all.lists().size());
}
