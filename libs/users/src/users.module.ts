import { Module } from '@nestjs/common';
import { Passwords } from './passwords.js';
import { UserDirectory } from './user-directory.js';
import { UsersService } from './users.service.js';

@Module({
  providers: [Passwords, UserDirectory, UsersService],
  exports: [Passwords, UserDirectory, UsersService],
})
export class UsersModule {}
