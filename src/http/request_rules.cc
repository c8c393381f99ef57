// SPDX-License-Identifier: Apache-2.0
#include "http/request_rules.h"

#include <array>

#include "http/chars.h"
#include "http/header_id.h"
#include "http/limits.h"
#include "http/uri.h"

namespace weir::http {
namespace {

struct MethodName {
  std::string_view text;
  Method method;
};
constexpr std::array<MethodName, 9> kMethods{{{"GET", Method::kGet},
                                              {"POST", Method::kPost},
                                              {"HEAD", Method::kHead},
                                              {"PUT", Method::kPut},
                                              {"DELETE", Method::kDelete},
                                              {"PATCH", Method::kPatch},
                                              {"OPTIONS", Method::kOptions},
                                              {"CONNECT", Method::kConnect},
                                              {"TRACE", Method::kTrace}}};

}  // namespace

Result<Method> parse_method(std::string_view text) {
  for (const MethodName& known : kMethods) {
    if (text == known.text) return known.method;
  }
  if (text.empty() || text.size() > kMaxMethodBytes) return fail(ErrorCode::kBadMethod);
  for (char c : text) {
    if (!is_char(c, kTokenChar)) return fail(ErrorCode::kBadMethod, "method is not a token");
  }
  // Methods are case-sensitive (RFC 9110, 9.1), but not every origin knows: "get" would pass a rule
  // about GET and be served as GET.
  for (const MethodName& known : kMethods) {
    if (iequals(text, known.text)) return fail(ErrorCode::kBadMethod, "method in wrong case");
  }
  return Method::kOther;
}

Result<void> set_authority(std::string_view text, base::Arena& arena, RequestHead& out) {
  Result<Authority> authority = parse_authority(text, arena);
  if (!authority) return std::unexpected(authority.error());
  out.authority = authority->text;
  out.host = authority->host;
  return {};
}

Result<void> set_path_and_query(std::string_view text, base::Arena& arena, RequestHead& out) {
  size_t mark = text.find('?');
  out.has_query = mark != text.npos;
  out.query = out.has_query ? text.substr(mark + 1) : std::string_view{};
  if (!is_valid_query(out.query)) return fail(ErrorCode::kBadTarget, "byte not allowed in a query");
  std::string_view raw = text.substr(0, mark);
  // Empty only in absolute-form, where it means "/" (RFC 9112, 3.2.1).
  Result<std::string_view> path = normalise_path(raw.empty() ? "/" : raw, arena);
  if (!path) return std::unexpected(path.error());
  out.path = *path;
  return {};
}

bool aliases_known_field(std::string_view name) {
  constexpr size_t kLongestKnown = 32;
  if (name.size() > kLongestKnown) return false;
  char text[kLongestKnown];
  for (size_t i = 0; i < name.size(); ++i) text[i] = name[i] == '_' ? '-' : name[i];
  return header_id({text, name.size()}) != HeaderId::kOther;
}

}  // namespace weir::http
