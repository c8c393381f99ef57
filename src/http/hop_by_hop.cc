// SPDX-License-Identifier: Apache-2.0
#include "http/framing.h"
#include "http/header_id.h"

namespace weir::http {
namespace {

bool lists(std::string_view value, std::string_view token) {
  for (std::string_view member = next_member(value); !member.empty(); member = next_member(value)) {
    if (iequals(member, token)) return true;
  }
  return false;
}

/// Whether a Connection value names a field that is removed only because it is named.
bool names_other_field(std::string_view value) {
  for (std::string_view member = next_member(value); !member.empty(); member = next_member(value)) {
    if (!iequals(member, "close") && header_id(member) == HeaderId::kOther) return true;
  }
  return false;
}

/// TE with "trailers" becomes just that; any other is to be removed. "trailers;q=0" is not it.
bool keep_te(Header& header) {
  if (!lists(header.value, "trailers")) return false;
  header.value = "trailers";
  return true;
}

}  // namespace

bool is_hop_by_hop(HeaderId id) {
  switch (id) {
    case HeaderId::kConnection:
    case HeaderId::kHttp2Settings:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTe:
    case HeaderId::kTransferEncoding:
    case HeaderId::kUpgrade:
      return true;
    default:
      return false;
  }
}

bool connection_names(const HeaderList& headers, std::string_view token) {
  for (const Header& header : headers) {
    if (header.id == HeaderId::kConnection && lists(header.value, token)) return true;
  }
  return false;
}

void remove_hop_by_hop(HeaderList& headers) {
  bool any = false;
  bool named = false;
  bool te = false;
  for (Header& header : headers) {
    if (!is_hop_by_hop(header.id)) continue;
    any = true;
    if (header.id == HeaderId::kConnection) named |= names_other_field(header.value);
    if (header.id == HeaderId::kTe) te |= keep_te(header);
  }
  if (!any) return;
  if (named) {
    // Connection fields stay in the list during this walk: they are what it asks.
    headers.remove_if([&headers](const Header& header) {
      return header.id == HeaderId::kOther && connection_names(headers, header.name);
    });
  }
  headers.remove_if([te](const Header& header) {
    if (te && header.id == HeaderId::kTe) return header.value != "trailers";
    return is_hop_by_hop(header.id);
  });
}

}  // namespace weir::http
