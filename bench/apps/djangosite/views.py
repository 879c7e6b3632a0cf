import uuid

from django.http import HttpResponse

BOOT = uuid.uuid4().hex


def hello(request):
    return HttpResponse("Hello from Django\n")


def boot(request):
    return HttpResponse(BOOT)
