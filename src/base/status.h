#pragma once
// Errors across every interface of Tidegate are absl::Status / absl::StatusOr; exceptions never cross one.
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string_view>
#include <utility>

#include "base/strings.h"  // base::cat: absl::StrCat does not take std::string_view here

// Returns the error of a Status expression to the caller.
#define TG_RETURN_IF_ERROR(expression)       \
  do {                                       \
    absl::Status tg_status_ = (expression);  \
    if (!tg_status_.ok()) return tg_status_; \
  } while (0)

#define TG_CONCAT_INNER(a, b) a##b
#define TG_CONCAT(a, b) TG_CONCAT_INNER(a, b)

// TG_ASSIGN_OR_RETURN(auto value, MakeStatusOr()); declares `value` or returns the error to the caller.
#define TG_ASSIGN_OR_RETURN(declaration, expression) \
  TG_ASSIGN_OR_RETURN_IMPL(TG_CONCAT(tg_or_, __LINE__), declaration, expression)
#define TG_ASSIGN_OR_RETURN_IMPL(holder, declaration, expression) \
  auto holder = (expression);                                     \
  if (!holder.ok()) return std::move(holder).status();            \
  declaration = std::move(holder).value()

namespace tidegate::base {

// The same code with `prefix: ` before the message: errors gain context on the way up.
inline absl::Status annotate(const absl::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  return absl::Status(status.code(), cat(prefix, ": ", status.message()));
}

// The same of what has a value without an error.
template <class T>
absl::StatusOr<T> annotate(absl::StatusOr<T> value, std::string_view prefix) {
  if (value.ok()) return value;
  return annotate(value.status(), prefix);
}

}  // namespace tidegate::base
