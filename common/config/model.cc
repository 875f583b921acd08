// The special members of the model's large structs: most files copy or destroy a config, and each would
// compile all of this.
#include "common/config/model.h"

namespace gatehouse::config {

Config::Config() = default;
Config::Config(const Config& other) = default;
Config::Config(Config&& other) noexcept = default;
Config& Config::operator=(const Config& other) = default;
Config& Config::operator=(Config&& other) noexcept = default;
Config::~Config() = default;

Route::Route() = default;
Route::Route(const Route& other) = default;
Route::Route(Route&& other) noexcept = default;
Route& Route::operator=(const Route& other) = default;
Route& Route::operator=(Route&& other) noexcept = default;
Route::~Route() = default;

Pool::Pool() = default;
Pool::Pool(const Pool& other) = default;
Pool::Pool(Pool&& other) noexcept = default;
Pool& Pool::operator=(const Pool& other) = default;
Pool& Pool::operator=(Pool&& other) noexcept = default;
Pool::~Pool() = default;

Listener::Listener() = default;
Listener::Listener(const Listener& other) = default;
Listener::Listener(Listener&& other) noexcept = default;
Listener& Listener::operator=(const Listener& other) = default;
Listener& Listener::operator=(Listener&& other) noexcept = default;
Listener::~Listener() = default;

}  // namespace gatehouse::config
