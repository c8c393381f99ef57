// SPDX-License-Identifier: Apache-2.0
// From BoringSSL's error codes to the classes that are counted and the words that are logged.
// Private to the tls_*.cc of net/. Pure; any thread.
#pragma once

#include <cstdint>

#include "net/tls_session.h"

namespace weir::net {

struct TlsDiagnosis {
  TlsFailure failure = TlsFailure::kProtocol;
  const char* reason = "";  ///< Static.
};

/// `packed`: of ERR_peek_error(). `verify_reason`: what verification found, if that was it.
TlsDiagnosis diagnose(uint32_t packed, const char* verify_reason);
/// For an X509_V_ERR_...: "certificate verify failed: expired". Static.
const char* verify_failure_text(long result);

}  // namespace weir::net
