// A request for sofia that leaves to the octet. sofia reads URLs by undoing escapes and prints what is left; it prints the parts
// of a URL that it is given in pieces as they are. So it gets the Request-URI, From and To as one piece that it looks into
// nowhere (the next hop is always named beside them), and all other header fields as ones that it does not know.
#pragma once

#include <sofia-sip/sip.h>
#include <sofia-sip/url.h>

#include <string>
#include <string_view>
#include <vector>

namespace pua {

// The URI in one piece, cut in place: out points into text.
void url_in_one_piece(std::string& text, url_t& out);

// Views and pointers live as long as the object.
class RawMessage {
 public:
  // uri: Request-URI as it goes out (write_uri). headers: whole lines, with From and To in them, as write_headers() makes them.
  RawMessage(std::string_view uri, std::string_view headers);
  RawMessage(const RawMessage&) = delete;
  RawMessage& operator=(const RawMessage&) = delete;

  const url_string_t* uri() const { return reinterpret_cast<const url_string_t*>(&uri_); }
  const url_t& url() const { return uri_; }  // the same, in pieces
  const sip_from_t* from() const { return &from_; }
  const sip_to_t* to() const { return &to_; }
  const sip_unknown_t* others() const { return others_.empty() ? nullptr : others_.data(); }  // a list
  // What sofia has to know of: Call-ID, CSeq and fields that it would add itself if it did not see them. Whole lines.
  const char* known() const { return known_.c_str(); }

 private:
  void line(char* name, char* value);

  std::string uri_text_, text_;   // the header block, cut into C strings
  url_t uri_;
  sip_from_t from_;
  sip_to_t to_;
  const char* from_params_[2] = {nullptr, nullptr};
  const char* to_params_[2] = {nullptr, nullptr};
  std::vector<sip_unknown_t> others_;
  std::string known_;
};

}  // namespace pua
