from django.contrib import admin
from django.urls import path

from djangosite import views

urlpatterns = [path("admin/", admin.site.urls), path("", views.hello), path("boot", views.boot)]
