// SPDX-License-Identifier: Apache-2.0
#include "route/rewrite.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <variant>

#include "base/check.h"
#include "http/chars.h"
#include "http/uri.h"

namespace weir::route {
namespace {

using Groups = std::array<std::string_view, 10>;

std::string_view without_final_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

// The table of the Gateway API's ReplacePrefixMatch: whole segments, and one slash at the seam,
// whichever of prefix and replacement ends with one.
std::string_view replace_prefix(const Route& route, std::string_view path,
                                std::string_view replacement, base::Arena& arena) {
  const PathMatch& match = route.config().match.path;
  std::string_view rest;
  if (match.kind == PathMatch::Kind::kPrefix) {
    rest = path.substr(without_final_slash(match.value).size());
  }
  if (rest.empty()) return replacement.empty() ? std::string_view{"/"} : replacement;
  const std::string_view base = without_final_slash(replacement);
  return base.empty() ? rest : arena.concat({base, rest});
}

// Calls `piece(text)` for each literal and group of the substitution, which compile() has checked.
template <typename Piece>
void expand(std::string_view substitution, const Groups& groups, Piece piece) {
  for (std::size_t i = 0; i < substitution.size(); ++i) {
    if (substitution[i] != '\\') {
      piece(substitution.substr(i, 1));
    } else {
      const char c = substitution[++i];
      piece(c == '\\' ? std::string_view{"\\"} : groups[static_cast<std::size_t>(c - '0')]);
    }
  }
}

std::string_view substitute(const Pattern& pattern, std::string_view substitution,
                            std::string_view path, base::Arena& arena) {
  Groups groups;
  if (!pattern.find(path, groups)) return path;
  std::size_t size = path.size() - groups[0].size();
  expand(substitution, groups, [&](std::string_view text) { size += text.size(); });
  char* const memory = static_cast<char*>(arena.allocate(size));
  char* out = memory;
  const auto append = [&out](std::string_view text) {
    if (text.empty()) return;
    std::memcpy(out, text.data(), text.size());
    out += text.size();
  };
  const auto before = static_cast<std::size_t>(groups[0].data() - path.data());
  append(path.substr(0, before));
  expand(substitution, groups, append);
  append(path.substr(before + groups[0].size()));
  return {memory, size};
}

// Printable ASCII as it is, everything else percent-encoded: no byte can end the header line.
std::string_view printable(std::string_view text, base::Arena& arena) {
  const auto visible = [](char c) { return http::is_char(c, http::kVisibleChar); };
  if (std::ranges::all_of(text, visible)) return text;
  constexpr std::string_view kHex = "0123456789ABCDEF";
  char* const memory = static_cast<char*>(arena.allocate(text.size() * 3));
  char* out = memory;
  for (const char c : text) {
    if (visible(c)) {
      *out++ = c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    *out++ = '%';
    *out++ = kHex[byte >> 4];
    *out++ = kHex[byte & 15];
  }
  return {memory, static_cast<std::size_t>(out - memory)};
}

// With one slash in front: a browser takes what follows two for a host.
std::string_view rooted(std::string_view path, base::Arena& arena) {
  if (!path.starts_with('/')) return arena.concat({"/", path});
  const std::size_t first = path.find_first_not_of('/');
  return path.substr(first == std::string_view::npos ? path.size() - 1 : first - 1);
}

}  // namespace

Result<std::string_view> rewrite_path(const Route& route, std::string_view path,
                                      base::Arena& arena) {
  const Rewrite& rewrite = route.rewrite();
  if (rewrite.prefix) return replace_prefix(route, path, *rewrite.prefix, arena);
  const Pattern* pattern = route.rewrite_pattern();
  if (pattern == nullptr) return path;
  const std::string_view result = substitute(*pattern, rewrite.substitution, path, arena);
  if (result.data() == path.data()) return path;
  if (!result.starts_with('/')) {
    return fail(ErrorCode::kBadTarget, "the route's rewrite makes a path without a first slash");
  }
  auto normal = http::normalise_path(result, arena);
  if (!normal) {
    return fail(ErrorCode::kBadTarget, "the route's rewrite makes an ambiguous path");
  }
  return *normal;
}

std::string_view rewrite_host(const Route& route, std::string_view authority,
                              std::string_view endpoint_host) {
  switch (route.rewrite().host.kind) {
    case HostRewrite::Kind::kKeep:
      return authority;
    case HostRewrite::Kind::kCluster:
      return endpoint_host;
    case HostRewrite::Kind::kLiteral:
      return route.rewrite().host.literal;
  }
  return authority;
}

std::string_view redirect_location(const Route& route, const RequestHead& head,
                                   base::Arena& arena) {
  const auto* redirect = std::get_if<RedirectTarget>(&route.target());
  CHECK(redirect != nullptr);
  std::string_view path = head.path;
  if (!redirect->path.empty()) {
    path = redirect->path;
  } else if (redirect->prefix) {
    path = replace_prefix(route, path, *redirect->prefix, arena);
  }
  path = printable(rooted(path, arena), arena);
  const std::string_view query = printable(head.query, arena);
  const std::string_view mark = head.has_query ? "?" : "";

  const bool new_scheme = !redirect->scheme.empty() && redirect->scheme != head.scheme;
  std::string_view authority = redirect->host;
  if (authority.empty() && new_scheme) authority = head.host;
  // Relative: right behind a peer that ends TLS, too, where `scheme` is not the client's.
  if (authority.empty()) return arena.concat({path, mark, query});
  const std::string_view scheme = redirect->scheme.empty() ? head.scheme : redirect->scheme;
  return arena.concat({scheme, "://", printable(authority, arena), path, mark, query});
}

}  // namespace weir::route
