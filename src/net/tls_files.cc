// SPDX-License-Identifier: Apache-2.0
#include "net/tls_files.h"

#include <algorithm>
#include <utility>

#include "net/tls_trust.h"

namespace weir::net {
namespace {

// Where Debian, Ubuntu and Alpine keep the public CAs in one file.
constexpr const char* kSystemCas = "/etc/ssl/certs/ca-certificates.crt";

}  // namespace

bool has_errors(const TlsFindings& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const TlsFinding& finding) { return finding.error; });
}

TlsBuild::TlsBuild(std::shared_ptr<TlsTicketKeys> process_keys, WallTime now, Locate locate)
    : process_keys_(std::move(process_keys)), now_(now), locate_(std::move(locate)) {}

TlsBuild::~TlsBuild() = default;

const TlsBuild::Trusted& TlsBuild::trust(const std::string& file) {
  const auto [at, is_new] = trusts_.try_emplace(file);
  if (is_new) {
    auto loaded = TlsTrust::load(file.empty() ? kSystemCas : locate(file));
    if (loaded) {
      at->second.trust = std::move(*loaded);
    } else {
      at->second.error = std::move(loaded.error());
    }
  }
  return at->second;
}

}  // namespace weir::net
