"""nginx and HAProxy in front of servers, with the settings that README.md recommends."""

import contextlib
import pathlib
import socket
import subprocess
import tempfile

from servers import wait_for

NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream ssd1b {{
{servers}
    keepalive 32;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://ssd1b;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      client_body_buffer_size 256k;
      proxy_read_timeout 7200s;
      proxy_next_upstream error http_503 non_idempotent;
    }}
  }}
}}
"""
HAPROXY = """
global
  maxconn 1024
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 7200s
  option abortonclose
  option redispatch
  retries 3
  retry-on conn-failure empty-response 503
frontend front
  bind 127.0.0.1:{port}
  default_backend ssd1b
backend ssd1b
{servers}
"""


def nginx_servers(ports):
    # max_fails=0: a server that drains is back in a moment.
    return "\n".join(f"    server 127.0.0.1:{port} max_fails=0;" for port in ports)


def haproxy_servers(ports):
    return "\n".join(f"  server s{port} 127.0.0.1:{port}" for port in ports)


PROXIES = {
    "nginx": (NGINX, nginx_servers, ["nginx", "-c"]),
    "haproxy": (HAPROXY, haproxy_servers, ["haproxy", "-db", "-f"]),
}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def proxy(name, server_ports):
    """The port of a proxy of that name in front of the servers."""
    template, servers, command = PROXIES[name]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)  # nginx' workers are another user's
        config = pathlib.Path(folder) / "config"
        config.write_text(template.format(folder=folder, port=port, servers=servers(server_ports)))
        process = subprocess.Popen([*command, str(config)], stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: can_connect(port))
            yield port
        finally:
            process.terminate()
            process.wait()


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False
