#pragma once
// A bucket's side of ListObjectsV2, for whoever stands in for a store: the fakes around the operator in tests/operator
// and tests/sim. Every object has ten bytes; everything fits into one page.
#include <map>
#include <string>
#include <string_view>

#include "net/http_client.h"

namespace tidegate::storage {

// What `url` asks for (prefix, delimiter) of these objects: key → ETag.
net::HttpResponse s3_listing(const std::map<std::string, std::string>& objects, const std::string& url);
// A refusal: "NoSuchBucket", "AccessDenied", …
net::HttpResponse s3_refusal(int status, std::string_view code);

}  // namespace tidegate::storage
