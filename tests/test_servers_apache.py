"""Traps E1, E4, K1: Apache's mod_wsgi, loaded. Each application has an interpreter, if not told otherwise."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ._child import SCALE
from ._servers import BAD, serving
from ._visitors import WrongAnswerError, load, visitors

REQUESTS = 60 * SCALE

APACHE = shutil.which("apache2", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
MODULES = Path("/usr/lib/apache2/modules")
# One Python is linked in: Debian's.
BUILT_FOR = MODULES / f"mod_wsgi.so-{sys.version_info.major}.{sys.version_info.minor}"

#: Before Apache's command line: it does not serve as root, so there it is one who may read the same files.
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if IS_ROOT else []
EXECUTE = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"

SETTINGS = """
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ServerName localhost
ErrorLog /dev/stderr
# With it the port may be kept for Apache by another socket.
ListenCoresBucketsRatio 8
Listen 127.0.0.1:{port}
# Not mpm_event: its workers, which have no Python, may crash when they are stopped while they start.
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {folder}/wsgi
WSGIDaemonProcess shop processes={processes} threads=4 python-home={home} python-path={path}
WSGIProcessGroup shop
{more}
WSGIScriptAlias /other {folder}/other.wsgi
WSGIScriptAlias / {folder}/shop.wsgi
<Directory {folder}>
    Require all granted
</Directory>
"""


def is_usable():
    """Tell whether mod_wsgi is here, for this Python, and may be started."""
    if not (APACHE and BUILT_FOR.exists() and sys.base_prefix == "/usr" and hasattr(socket, "SO_REUSEPORT")):
        return False
    return subprocess.run([*AS_USER, APACHE, "-v"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not is_usable(), reason="needs Debian's libapache2-mod-wsgi-py3 and its Python"
)


def apache(folder, processes, more=""):
    """Return Apache's command line, for `serving` with a port that is kept for it."""
    for name in ("shop", "other"):
        (folder / f"{name}.wsgi").write_text("from _server_app import app as application\n")

    def command(_descriptor, port):
        places = {"folder": folder, "modules": MODULES, "home": sys.prefix, "path": Path(__file__).parent}
        settings = folder / "httpd.conf"
        settings.write_text(SETTINGS.format(port=port, processes=processes, more=more, **places))
        return ["-c", EXECUTE, *AS_USER, APACHE, "-DFOREGROUND", "-f", str(settings)]

    return command


def test_mod_wsgi_under_load(tmp_path):
    """E1, K1: two processes of four threads, in the main interpreter; they reload: the script has changed."""
    command = apache(tmp_path, processes=2, more="WSGIApplicationGroup %{GLOBAL}")
    with serving(command, tmp_path, pass_listener=False) as server:
        server.wait_until_it_listens()
        crowd = visitors(server.port, 4)
        load(crowd, REQUESTS)
        assert [visitor.lost for visitor in crowd] == [0] * 4
        workers = set().union(*(visitor.workers for visitor in crowd))
        assert len(workers) == 2
        load(crowd, REQUESTS, [lambda _: os.utime(tmp_path / "shop.wsgi", (1, 1))])
        crowd[0].wait_for_another_worker(workers)
        load(visitors(server.port, 2, prefix="/other"), REQUESTS)


def test_mod_wsgi_with_an_interpreter_for_each_application(tmp_path):
    """E4: the first to be asked for has the cache; the other is told what to set, and the first goes on."""
    with serving(apache(tmp_path, processes=1), tmp_path, pass_listener=False, bad=BAD[1:]) as server:
        server.wait_until_it_listens()
        crowd = visitors(server.port, 2)
        load(crowd, REQUESTS)
        with pytest.raises(WrongAnswerError, match="status=500"):
            visitors(server.port, 1, prefix="/other")
        load(crowd, REQUESTS)
        said = server.log.read_text()
    assert "ImportError: flask_rustcache works in one interpreter of a process" in said
    assert "mod_wsgi: `WSGIApplicationGroup %{GLOBAL}`" in said
