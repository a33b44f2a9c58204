/** An application that does nothing but start and end: nothing else keeps its process alive. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { HelixModule, type HelixModuleOptions } from '../../../lib/index.js';

const options = JSON.parse(process.argv[2] ?? '{}') as HelixModuleOptions;
const app = await NestFactory.createApplicationContext(HelixModule.forRoot(options), { logger: ['error'] });
await app.close();
