// Subscriptions: the part of the engine that only subscriptions need (RFC 6665): owners' requests, dialogs, the text of a
// SUBSCRIBE, NOTIFYs, what the columns of a row mean. What publications need as well is in Keeper (keeper.h).
#pragma once

#include <array>
#include <functional>
#include <string>

#include "core/dialogs.h"
#include "core/keeper.h"
#include "core/notify_handlers.h"
#include "core/notify_port.h"
#include "core/subscription_record.h"

namespace pua {

class Subscriptions : public Keeper<Subscriptions, SubscriptionRecord> {
 public:
  static constexpr Kind kKind = Kind::Subscription;
  static constexpr Method kMethod = Method::Subscribe;
  static constexpr const char* kMethodName = "SUBSCRIBE";
  static constexpr const char* kKindName = "subscription";

  Subscriptions(EngineCommon& common, HashKey key) : Keeper(common, key), kept_(common.settings_.notify_keep), dialogs_(key) {}

  // --- owners; contracts: core/engine.h
  Status subscribe(const SubscribeRequest&, RequestDone done, MonoMs now);
  Status update_contact(const DialogQuery&, std::string_view contact, MonoMs now);
  DialogFound find_dialog(const DialogQuery&, std::string* id) const;
  void of_id(std::string_view prefix, const std::function<void(const RecordView&)>&, MonoMs now) const;
  NotifyHandlers& handlers() { return handlers_; }
  const NotifyHandlers& handlers() const { return handlers_; }

  // --- the other side
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs now);
  void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs now);
  bool expects(std::string_view call_id) const { return dialogs_.expects(call_id); }

  void add_stats(Stats&) const;

 private:
  friend class Keeper<Subscriptions, SubscriptionRecord>;

  // requests (subscriptions.cpp)
  Status check(const SubscribeRequest&) const;
  void take_over(SubscriptionRecord&, const SubscribeRequest&, bool first, RequestDone, MonoMs now);
  void put_behind(SubscriptionRecord&, const SubscribeRequest&, RequestDone, MonoMs now);
  void resume(SubscriptionRecord&, WaitingSubscribe&, MonoMs now);
  // what goes out and comes back (subscriptions_wire.cpp)
  void change(SubscriptionRecord&, const sub::Effects&, const SipReply*, const Row*);
  void report(SubscriptionRecord&, const sub::Effects&, const SipReply*, MonoMs now);
  void fill(SubscriptionRecord&, SipRequest&, std::string (&scratch)[2], MonoMs now);
  sub::Event heard(SubscriptionRecord&, const SipReply&, MonoMs now);
  void take_dialog(SubscriptionRecord&, const SipReply&);
  struct DialogNames {
    char call_id[kCallIdSize + 1], tag[9];
  };
  DialogNames new_names();
  void renew_dialog(SubscriptionRecord&);
  std::string_view contact_of(const SubscriptionRecord&) const;
  std::string_view destination(const SubscriptionRecord&) const;        // valid until the next call
  static bool ended(const SubscriptionRecord& s) { return sub::row_over(*s.m); }
  static bool wanted(const SubscriptionRecord& s) { return s.m->wanted == sub::Wanted::Something; }
  static std::string_view etag(const SubscriptionRecord&) { return {}; }
  static int64_t granted(const SubscriptionRecord&);
  // NOTIFYs (subscriptions_notify.cpp)
  std::string allow_events() const;
  NotifyAnswer refuse(int status, std::string reason, std::string headers = {});
  struct Document {
    DocumentState state;
    BadDocument bad = BadDocument::No;
    std::string text;        // what is wrong, in words
  };
  // Looks at the document. s: the subscription, whose owner may have asked for other content types than those of the event;
  // nullptr: an unsolicited NOTIFY.
  Document judge(const SubscriptionRecord* s, const EventInfo&, const NotifyRequest&) const;
  NotifyAnswer take_unsolicited(const EventInfo&, const NotifyRequest&, MonoMs now);
  NotifyAnswer outside_of_dialogs(const EventInfo*, const char* bad_event, const NotifyRequest&, MonoMs now);
  NotifyAnswer refuse_known(SubscriptionRecord&, const NotifyRequest&, int status, const char* reason, MonoMs now,
                            std::string headers = {});
  void log_notify(LogGate&, const NotifyRequest&, std::string_view uri, int status, const std::string& what, MonoMs now);
  void count_refused(SubscriptionRecord&, bool terminated, MonoMs now);
  NotifyAnswer take(SubscriptionRecord&, const NotifyRequest&, const Document&, MonoMs now);
  // rows, and what others see (subscriptions_rows.cpp)
  static Key key_of(const Row& row) { return {row.flag, row.event, row.pres_uri, row.pres_id, row.watcher_uri, row.to_uri}; }
  static void row_key(const SubscriptionRecord&, Row& out);
  static void put_row(std::array<std::string_view, SubscriptionRecord::kFields>& text, const Row&);
  void fill_row(const SubscriptionRecord&, Row& out) const;
  const char* unreadable(const Row&) const;
  void adopt(SubscriptionRecord&, const Row&, bool asked, MonoMs now);
  static void restore_text(SubscriptionRecord&, const Row&, bool named, bool asked, bool existing);
  void restore_cseq(SubscriptionRecord&, const Row&, bool replay, MonoMs now);
  RecordView view(const SubscriptionRecord&, MonoMs now) const;
  void born(SubscriptionRecord& s) { dialogs_.add_id(s); }
  void dies(SubscriptionRecord&);

  KeptDocuments kept_;
  Dialogs dialogs_;
  NotifyHandlers handlers_;
  LogGate missing_gate_, no_dialog_gate_, ended_gate_, deaf_gate_;
  LogGate looping_gate_{3, 60000}, stands_gate_{3, 60000};
  LogGate refused_gate_{3, 60000}, bad_document_gate_{3, 60000};   // few lines, because anybody can send NOTIFYs
};

}  // namespace pua
