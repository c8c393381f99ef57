// SPDX-License-Identifier: Apache-2.0
// An accepted connection as its listener knows it, whatever is spoken on it: being accepted (PROXY
// header, TLS handshake), HTTP/1 or HTTP/2. In its listener's list until it closes. One thread.
#pragma once

#include <weir/clock.h>
#include <weir/units.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/intrusive_list.h"
#include "policy/address_places.h"

namespace weir::net {
class Socket;
struct Peer;
}  // namespace weir::net

namespace weir::proxy {

class WorkerListener;

class ClientConnection : public base::ListLink<> {
 public:
  /// The worker drains: closes now if idle, else after what is under way.
  virtual void drain() = 0;
  /// The worker stops: resets.
  virtual void kill() = 0;
  /// Since when nothing is under way; TimePoint::max() if something is. A client that has yet to
  /// say its first word, or to end its handshake, idles after a second of that.
  virtual TimePoint idle_since() const = 0;
  /// What it holds is wanted elsewhere. Closes now. Requires: idle_since() is not max().
  virtual void shed() = 0;

  /// After so long, one that has not begun to speak counts as idle.
  static constexpr Duration kFirstWord = std::chrono::seconds(1);

  /// Its client's place among the connections of one address; none where nothing limits them.
  policy::AddressPlace address_place;
  /// There is none left: is reset if it does not take what is ready for it.
  virtual void kill_if_stuck() {}

  uint32_t footprint = 0;  ///< Bytes charged to the listener for the connection itself.

 protected:
  ClientConnection() = default;
  ~ClientConnection() = default;
};

/// What a proxy in front told of the connection, beside the client's address (PROXY protocol).
struct ProxyTold {
  IpAddress destination;  ///< Where the client had connected to.
  uint16_t destination_port = 0;
  std::string authority;  ///< TLVs; empty if none came.
  std::string unique_id;
};

/// What goes from one kind of connection to the next.
struct Handover {
  WorkerListener& listener;
  net::Socket& socket;
  const net::Peer& peer;
  std::string_view bytes;           ///< Read already.
  std::unique_ptr<ProxyTold> told;  ///< Null for most.
  bool draining = false;            ///< One request more, and that is it.
};

}  // namespace weir::proxy
