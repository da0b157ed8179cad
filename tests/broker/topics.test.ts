import { describe, expect, it } from 'vitest';
import { filterCovers, ownerOf, uplinkKind } from '../../broker/topics.js';

const device = { productKey: 'PK', deviceName: 'DN' };

describe('topics', () => {
  it.each([
    ['/ota/device/inform/PK/DN', 'version-report'],
    ['/ota/device/progress/PK/DN', 'progress-report'],
    ['/sys/PK/DN/thing/ota/firmware/get', 'firmware-query'],
    ['/ota/device/request/PK/DN', 'old-firmware-query'],
    ['/ext/ntp/PK/DN/request', 'clock-query'],
    ['/sys/PK/DN/thing/event/property/post', 'platform-message'],
    ['/sys/PK/DN/thing/service/property/set_reply', 'other'],
    ['/sys/PK/DN/thing/file/download', 'other'],
    ['/sys/PK/DN/rrpc/response/17', 'other'],
    ['/ota/device/inform/PK/DN/more', 'other'],
    ['/PK/DN/user/update', 'other'],
    ['/shadow/update/PK/DN', 'other'],
  ])('reads %s as a %s of the device', (topic, kind) => {
    expect(uplinkKind(topic, device)).toBe(kind);
    expect(uplinkKind(topic, { ...device, deviceName: 'D' })).toBeUndefined();
  });

  it.each([
    '',
    '/',
    'ota/device/inform/PK/DN',
    '/ota/device/inform/PK',
    '/ota/system/inform/PK/DN',
    '/sys/PK',
    '$SYS/broker/PK/DN',
    '$share/group/sys/PK/DN/thing',
    '/sys/+/DN/thing/x',
    '/sys/PK/+/thing/x',
    '/sys/PK/#',
    '/+/PK/DN/x',
    '#',
    '/#',
    '+/+',
    '/sys/P K/DN/x',
    '/sys//DN/x',
  ])('knows no owner of %s', (topic) => {
    expect(ownerOf(topic)).toBeUndefined();
  });

  it.each([
    '/sys/PK/DN/#',
    '/sys/PK/DN/thing/event/+/post_reply',
    '/ota/device/+/PK/DN',
    '/ext/+/PK/DN/response',
    '/PK/DN/#',
  ])('knows the owner of the filter %s', (filter) => {
    expect(ownerOf(filter)).toEqual(device);
  });

  it('never takes a platform topic for a custom one, whatever the product is called', () => {
    expect(ownerOf('/sys/a1/d1/thing/ota/firmware/get')).toEqual({ productKey: 'a1', deviceName: 'd1' });
    expect(ownerOf('/ext/ntp/a1/d1/request')).toEqual({ productKey: 'a1', deviceName: 'd1' });
  });

  it.each([
    ['/a/b', '/a/b', true],
    ['/a/+', '/a/b', true],
    ['/a/#', '/a/b/c', true],
    ['/a/b/#', '/a/b', true],
    ['/a/+', '/a/b/c', false],
    ['/a/b', '/a/b/c', false],
    ['/a/b/c', '/a/b', false],
    ['/a/+/c', '/a/b/c', true],
    ['/a/B', '/a/b', false],
  ])('filter %s covers %s: %s', (filter, topic, covers) => {
    expect(filterCovers(filter, topic)).toBe(covers);
  });
});
