#pragma once

namespace ssd1b {

/// How many descriptors a listener of so many connections may use at a time: those that are refused
/// stay open for a moment too.
long descriptors_of(int max_connections);

/// How many refused connections may stay open for a moment beside `max_connections`.
int refused_beside(int max_connections);

/// How many of the main listener's `wanted` connections fit among `descriptors`, beside a
/// management listener of `management` (0: there is none) and what the rest of the server needs.
int connections_within(long descriptors, int wanted, int management);

/// The same within the system's limit. Its soft limit is raised as far as needed and allowed; a
/// worker inherits it, and does no harm with it. Warns where not all fit.
int connections_that_fit(int wanted, int management);

}  // namespace ssd1b
