"""Somebody at the admin panel."""

import pytest
from django.test import Client

from tests.server.people import make_user


def sign_in(role: str) -> Client:
    user = make_user(role)
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser() -> Client:
    return sign_in("operator")
