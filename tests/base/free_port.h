#pragma once
// A port of the loopback for a program that must be told one. Not one of those that the kernel gives to whoever
// connects or asks for any (from 32768 on): between choosing it and the program's start another test would be given it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <random>

namespace tidegate::base {

// Another one each time, and begins where no other process is likely to.
inline int free_port() {
  constexpr int kFirst = 10000, kCount = 20000;  // up to Kubernetes' node ports
  static unsigned next = std::random_device()();
  for (;;) {
    const int port = kFirst + static_cast<int>(next++ % kCount);
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    const bool free = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(descriptor);
    if (free) return port;
  }
}

}  // namespace tidegate::base
