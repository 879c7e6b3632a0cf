import { expect, test } from 'vitest';
import { lastTraceback } from './traceback.ts';

const text = (value: string): string[] => value.split('\n');

test('the last traceback of a log gives its summary and the last line of the member', () => {
  const lines = text(`starting
Traceback (most recent call last):
  File "/home/ada/first.py", line 1, in <module>
    x
NameError: name 'x' is not defined
[2026-11-28 18:00:00,000] ERROR in app: Exception on / [GET]
Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/flask/app.py", line 2525, in wsgi_app
    response = self.full_dispatch_request()
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/home/ada/mysite/flask_app.py", line 12, in index
    return 1 / 0
           ~~^~~
  File "/home/ada/.virtualenvs/v/lib/python3.11/site-packages/x.py", line 3, in y
    raise
ZeroDivisionError: division by zero
127.0.0.1 - a line after it`);
  expect(lastTraceback(lines)).toEqual({
    summary: 'ZeroDivisionError: division by zero',
    place: '/home/ada/mysite/flask_app.py, line 12',
  });
});

test('an indented one, as the guard of WSGI programs writes it', () => {
  const lines = text(`2026-11-28 18:00:00,000: Error running WSGI application
2026-11-28 18:00:00,000: KeyError: 'gone'
  Traceback (most recent call last):
    File "/var/www/a_wsgi.py", line 7, in application
      raise KeyError("gone")
  KeyError: 'gone'`);
  expect(lastTraceback(lines)).toEqual({ summary: "KeyError: 'gone'", place: '/var/www/a_wsgi.py, line 7' });
});

test('none, half of one, and one without lines of the member', () => {
  expect(lastTraceback(text('a line\nValueError: not a traceback'))).toBeUndefined();
  expect(lastTraceback(text('Traceback (most recent call last):\n  File "/home/ada/a.py", line 1'))).toBeUndefined();
  const system = 'Traceback (most recent call last):\n  File "/usr/lib/x.py", line 1, in x\n    y\nOSError';
  expect(lastTraceback(text(system))).toEqual({ summary: 'OSError', place: undefined });
});

test('an entry of the guard in which no frame was to be shown has its summary', () => {
  const lines = text(`a line
2026-11-28 22:36:56,379: Error running WSGI application
2026-11-28 22:36:56,379: TypeError: application() takes 1 positional argument but 2 were given
  TypeError: application() takes 1 positional argument but 2 were given`);
  expect(lastTraceback(lines)).toEqual({
    summary: 'TypeError: application() takes 1 positional argument but 2 were given',
    place: undefined,
  });
});
