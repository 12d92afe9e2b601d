"""A room with limits for what strangers made: files are read, and models run, in a child process.

The child has limits of memory and time, writes no file and, where the system allows it, reaches no network. What comes
back is JSON and arrays, parsed here; nothing of the child's is unpickled. Any layer may import it; a new use is one
function, named "module:function", that returns a handler of messages.
"""

from modelprint.core.sandbox.client import Room as Room
from modelprint.core.sandbox.client import SandboxError as SandboxError
from modelprint.core.sandbox.client import Unconfined as Unconfined
from modelprint.core.sandbox.client import available as available
from modelprint.core.sandbox.client import room as room
from modelprint.core.sandbox.client import warm as warm
from modelprint.core.sandbox.limits import Limits as Limits
