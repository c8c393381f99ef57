// SPDX-License-Identifier: Apache-2.0
#include "http/trailers.h"

#include <algorithm>
#include <array>

#include "http/header_id.h"

namespace weir::http {
namespace {

// Beside all that have a HeaderId, but for gRPC's.
constexpr std::array<std::string_view, 21> kForbidden{"age",
                                                      "allow",
                                                      "authentication-info",
                                                      "cache-control",
                                                      "content-encoding",
                                                      "content-language",
                                                      "content-location",
                                                      "content-range",
                                                      "expires",
                                                      "if-match",
                                                      "if-modified-since",
                                                      "if-none-match",
                                                      "if-range",
                                                      "if-unmodified-since",
                                                      "pragma",
                                                      "proxy",
                                                      "range",
                                                      "vary",
                                                      "warning",
                                                      "www-authenticate",
                                                      "set-cookie2"};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool is_forbidden_trailer(std::string_view name, HeaderId id) {
  // Where gRPC tells how a call ended.
  if (id == HeaderId::kGrpcStatus || id == HeaderId::kGrpcMessage) return false;
  if (id != HeaderId::kOther || name.find('_') != name.npos) return true;
  return is_x_forwarded(name) ||
         std::any_of(kForbidden.begin(), kForbidden.end(),
                     [name](std::string_view bad) { return iequals(name, bad); });
}

void split_trailers(std::string_view text, HeaderList& out) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    size_t colon = line.find(':');
    Header header{line.substr(0, colon), trim(line.substr(colon + 1))};
    header.id = header_id(header.name);
    if (!is_forbidden_trailer(header.name, header.id)) out.push(header);
  }
}

}  // namespace weir::http
