"""A reserved ROS domain belongs to one caller on this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest
from conftest import ROOT

from hydranet_ros.errors import DomainError
from hydranet_ros.ros import domains
from hydranet_ros.ros.domains import free_domain


def test_callers_in_one_process_get_different_domains_from_1_to_100():
    with ExitStack() as stack:
        found = [stack.enter_context(free_domain()) for _ in range(20)]
    assert len(set(found)) == 20
    assert set(found) <= set(range(1, 101))


def reserved_in_another_process() -> int:
    code = 'from hydranet_ros.ros.domains import free_domain\nwith free_domain() as d: print(d)'
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return int(done.stdout)


def test_another_process_gets_another_domain_until_the_first_is_released(monkeypatch):
    with free_domain() as domain:
        monkeypatch.setattr(domains, '_DOMAINS', range(domain, domain + 1))
        with pytest.raises(DomainError), free_domain():
            pass
        assert reserved_in_another_process() != domain
    with free_domain() as again:
        assert again == domain


def test_every_domain_has_a_port_below_the_ephemeral_ports(monkeypatch):
    ports = []

    class Lock(socket.socket):
        def bind(self, address):
            ports.append(address)
            raise OSError

    monkeypatch.setattr(domains.socket, 'socket', Lock)
    with pytest.raises(DomainError), free_domain():
        pass
    assert sorted(ports) == [('127.0.0.1', port) for port in range(32569, 32669)]


def test_without_a_free_domain_the_error_names_the_remedy(monkeypatch):
    class Lock(socket.socket):
        def bind(self, address):
            raise OSError

    monkeypatch.setattr(domains.socket, 'socket', Lock)
    with pytest.raises(DomainError) as caught, free_domain():
        pass
    assert str(caught.value) == (
        'All ROS domains from 1 to 100 are reserved on this machine; end other demos, tests or '
        'benchmarks.'
    )


def test_an_error_of_the_caller_is_raised_and_releases_the_domain(monkeypatch):
    with pytest.raises(OSError, match='of the caller'), free_domain() as domain:
        raise OSError('of the caller')
    monkeypatch.setattr(domains, '_DOMAINS', range(domain, domain + 1))
    with free_domain() as again:
        assert again == domain
