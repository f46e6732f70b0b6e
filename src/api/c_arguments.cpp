#include "api/c_arguments.h"

namespace pua {

bool take(pua_s& h, const char* field, const pua_str_t& s, std::string_view& out) {
  if (s.len < 0 || (!s.s && s.len > 0)) {
    fail(&h, Errc::bad_argument, std::string(field) + (s.len < 0 ? " has a negative length" : " is NULL with a length"));
    return false;
  }
  out = std::string_view(s.s ? s.s : "", static_cast<size_t>(s.len));
  return true;
}

bool take(pua_s& h, const char* field, const pua_str_t* s, std::string_view& out) {
  return !s || take(h, field, *s, out);
}

int take_type(pua_s& h, int flag, RequestType& out) {
  switch (flag) {
    case 0: out = RequestType::Auto; return PUA_OK;
    case INSERT_TYPE: out = RequestType::Insert; return PUA_OK;
    case UPDATE_TYPE: out = RequestType::Update; return PUA_OK;
    default: return fail(&h, Errc::bad_argument, "flag is not 0, INSERT_TYPE or UPDATE_TYPE");
  }
}

}  // namespace pua
