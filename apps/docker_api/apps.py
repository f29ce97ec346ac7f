from django.apps import AppConfig


class DockerApiConfig(AppConfig):
    name = "apps.docker_api"
    label = "docker_api"
